package outbox

import (
	"context"
	"fmt"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Group is what the store says of one group.
type Group struct {
	Waiting []*Entry // pending, in the order of their decision
	// ToldAt is when a message about it was accepted last, as far as that is less than the interval ago; zero: none.
	ToldAt time.Time
	Told   int // how many entries that message told
	Rank   int // the gravest that was told in that time; -1: nothing that was not over
}

// Due gives when the group is told, as far as nothing breaks through; zero: nothing waits, or all that does was held back
// when it was looked at last.
func (g *Group) Due(interval time.Duration) time.Time {
	var due time.Time
	for _, e := range g.Waiting {
		if held := e.Held != "" && e.Attempts == 0; !held && (due.IsZero() || e.Due.Before(due)) {
			due = e.Due
		}
	}
	if next := g.ToldAt.Add(interval); !due.IsZero() && !g.ToldAt.IsZero() && next.After(due) {
		return next
	}
	return due
}

// lookback is how long before its telling an entry may have been decided to be found as one that was told.
const lookback = 24 * time.Hour

// Groups gives what the store says of some groups, each with the interval of its messages: by id, all of them. An entry
// that cannot be read is left out; Pending tells of those.
func (l *Ledger) Groups(ctx context.Context, groups map[string]time.Duration, now time.Time) (map[string]*Group, error) {
	if err := l.store.Refresh(ctx, Indices); err != nil {
		return nil, fmt.Errorf("looking for what belongs together: %w", err)
	}
	out := make(map[string]*Group, len(groups))
	var either filter.Or
	longest := time.Duration(0)
	for id, interval := range groups {
		out[id] = &Group{Rank: -1}
		either = append(either, equal(event.FieldNotifyGroup, id))
		longest = max(longest, interval)
	}
	err := l.each(ctx, store.Query{Indices: Indices, Where: filter.And{equal(event.FieldEventOutcome, "unknown"), either}}, func(e *Entry) {
		if g := out[e.Group]; g != nil && e.State == Pending {
			g.Waiting = append(g.Waiting, e)
		}
	})
	if err != nil {
		return nil, err
	}
	since := event.DateValue(now.Add(-longest))
	err = l.each(ctx, store.Query{Indices: Indices, From: now.Add(-longest - lookback), Where: filter.And{
		filter.Range{Field: field(event.FieldNotifySentAt), From: &since, FromClosed: true}, either,
	}}, func(e *Entry) {
		if g := out[e.Group]; g != nil && e.State == Sent {
			g.told(e, now.Add(-groups[e.Group]))
		}
	})
	return out, err
}

// told notes an entry that was told after a moment.
func (g *Group) told(e *Entry, since time.Time) {
	if !e.SentAt.After(since) {
		return
	}
	switch {
	case e.SentAt.After(g.ToldAt):
		g.ToldAt, g.Told = e.SentAt, 1
	case e.SentAt.Equal(g.ToldAt):
		g.Told++
	}
	g.Rank = max(g.Rank, e.Ref().Rank)
}

// GroupMatch gives the conditions that all alerts of a group satisfy; none: there is no such group, or it is of one alert.
func (l *Ledger) GroupMatch(ctx context.Context, id string) ([]string, error) {
	for hit, err := range l.store.Search(ctx, store.Query{Indices: Indices, Where: equal(event.FieldNotifyGroup, id)}) {
		if err != nil {
			return nil, fmt.Errorf("looking for a group: %w", err)
		}
		if e, err := Decode(hit.Body); err == nil && len(e.GroupMatch) > 0 {
			return e.GroupMatch, nil
		}
	}
	return nil, nil
}

// GroupTold gives the ids of the alerts that were told in a group, as far as that was decided from a moment on.
func (l *Ledger) GroupTold(ctx context.Context, id string, since time.Time) (map[string]bool, error) {
	told := map[string]bool{}
	return told, l.each(ctx, store.Query{Indices: Indices, From: since, Where: filter.And{
		equal(event.FieldNotifyGroup, id), equal(event.FieldNotifyState, string(Sent)),
	}}, func(e *Entry) { told[e.Alert.ID] = true })
}

func (l *Ledger) each(ctx context.Context, q store.Query, take func(*Entry)) error {
	for hit, err := range l.store.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("looking for what belongs together: %w", err)
		}
		if e, err := Decode(hit.Body); err == nil {
			take(e)
		}
	}
	return nil
}

// OneGroup says whether all entries are of one group, and which.
func OneGroup(entries []*Entry) (id string, ok bool) {
	for _, e := range entries {
		if e.Group == "" || e.Group != entries[0].Group {
			return "", false
		}
	}
	return entries[0].Group, true
}
