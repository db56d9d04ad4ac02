package deliver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/outbox"
	"imwatch/internal/store"
)

// maxAsked is how many groups the store is asked about at once. fullGroup is from how many on a message is taken for one
// that had no room for all of its group: the rest follows at once.
const (
	maxAsked  = 100
	fullGroup = maxFold * 9 / 10
)

// Timing is when a group may be told.
type Timing struct {
	First  time.Time // when the first that waits is due; zero: nothing waits that could be told
	Floor  time.Time // not before this
	Rank   int       // the gravest that waits or was told in the last interval; -1: none
	Breaks bool      // something breaks through: at once, whatever First and Floor say
}

// ask asks the store about groups that seem due: which others wait, here and with other alerters, when a message about
// them was told last, and whether somebody is telling them just now.
func (s *Sender) ask(ctx context.Context, groups map[string]time.Duration) {
	here := s.Queue.Of(groups)
	now := s.Now()
	found, err := s.Ledger.Groups(ctx, groups, now)
	if err == nil {
		err = s.missed(ctx, here, found)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WithError(err).Warn("asking about groups failed, it is tried again")
		}
		for id := range groups {
			s.Queue.Later(id, now.Add(storePause))
		}
		return
	}
	for id, g := range found {
		waits := make(map[string]struct{}, len(g.Waiting))
		for _, e := range g.Waiting {
			r := e.Ref()
			if e.Claim.By != s.Instance {
				r.Due = later(r.Due, e.Claim.Until)
			}
			waits[r.ID] = struct{}{}
			s.Queue.Add(r)
		}
		s.Queue.Learn(id, s.timing(g, groups[id], now), func(id string) bool {
			_, was := here[id]
			_, is := waits[id]
			return was && !is
		}, now)
	}
}

// missed reads one by one what waits here and was not found. It was told by another one, as a rule; but an index that is
// older than the field by which groups are found answers nothing, and what waits is told all the same.
func (s *Sender) missed(ctx context.Context, here map[string]outbox.Ref, found map[string]*outbox.Group) error {
	var refs []outbox.Ref
	for _, g := range found {
		for _, e := range g.Waiting {
			delete(here, e.ID())
		}
	}
	for _, r := range here {
		refs = append(refs, r)
	}
	entries, errs := make([]*outbox.Entry, len(refs)), make([]error, len(refs))
	each(len(refs), func(i int) {
		entries[i], _, errs[i] = s.Ledger.Get(ctx, refs[i])
		if ctx.Err() == nil && !errors.Is(errs[i], store.ErrUnavailable) { // it is gone, or cannot be read, which Pending tells
			errs[i] = nil
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(refs) == 0 {
		return nil
	}
	for i, e := range entries {
		if g := found[refs[i].Group]; e != nil && e.State == outbox.Pending && g != nil {
			g.Waiting = append(g.Waiting, e)
		}
	}
	for _, g := range found {
		slices.SortFunc(g.Waiting, func(a, b *outbox.Entry) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID(), b.ID())) })
	}
	return nil
}

// timing says when a group may be told. It follows from the store and the gate alone, so every alerter comes to the same.
func (s *Sender) timing(g *outbox.Group, interval time.Duration, now time.Time) Timing {
	t := Timing{Rank: g.Rank}
	if !g.ToldAt.IsZero() && g.Told < fullGroup {
		t.Floor = g.ToldAt.Add(interval)
	}
	blocked := map[string]bool{} // alerts of which the first that waits cannot be told now
	for _, e := range g.Waiting {
		if e.Claim.By != "" && e.Claim.By != s.Instance && now.Before(e.Claim.Until) {
			t.Floor = later(t.Floor, e.Claim.Until) // another one is telling it, or was when it died
			blocked[e.Alert.ID] = true
		}
		if blocked[e.Alert.ID] || now.Before(e.RetryAt) || s.held(e, now) {
			blocked[e.Alert.ID] = true
			continue
		}
		r := e.Ref()
		if t.First.IsZero() || r.Wait.Before(t.First) {
			t.First = r.Wait
		}
		if r.Rose || r.Joins() && t.Rank >= 0 && r.Rank > t.Rank {
			t.Breaks = true
		}
		t.Rank = max(t.Rank, r.Rank)
	}
	return t
}

// held says whether the gate would hold an entry; such a one neither hurries its group nor breaks through.
func (s *Sender) held(e *outbox.Entry, now time.Time) bool {
	if s.Gate == nil || e.Ref().Rank < 0 {
		return false
	}
	_, held := s.Gate(e, now)
	return held
}

// group claims what is due of a group and tells it in one message. Whoever claims the first tells all: several alerters
// that come at the same time find the same one first. made: the provider was called.
func (s *Sender) group(ctx context.Context, refs []outbox.Ref) (made bool) {
	if len(refs) == 0 {
		return false
	}
	lines := byAlert(refs)
	taken := make([]claimed, len(refs))
	at := 0
	for ; at < len(lines); at++ {
		ours, lost := s.takeLine(ctx, refs, lines[at], taken)
		if ours {
			at++
			break
		}
		if lost {
			s.Queue.Later(refs[0].Group, s.Now().Add(storePause))
			for _, r := range refs[lines[at].to:] {
				s.Queue.Again(r, r.Due)
			}
			return false
		}
	}
	each(len(lines)-at, func(i int) { s.takeLine(ctx, refs, lines[at+i], taken) })
	return s.tell(ctx, refs, taken)
}

// span is where the notifications of one alert stand in a list.
type span struct{ from, to int }

func byAlert(refs []outbox.Ref) (out []span) {
	for i := range refs {
		if i == 0 || refs[i].AlertID != refs[i-1].AlertID {
			out = append(out, span{i, i})
		}
		out[len(out)-1].to = i + 1
	}
	return out
}

// takeLine claims what is to be told of one alert, in order. lost: another one tells it.
func (s *Sender) takeLine(ctx context.Context, refs []outbox.Ref, l span, taken []claimed) (ours, lost bool) {
	with := map[string]bool{}
	for i := l.from; i < l.to; i++ {
		c, ok := s.take(ctx, refs[i], with)
		lost = lost || c.lost
		if ok {
			taken[i], with[refs[i].ID], ours = c, true, true
		}
	}
	return ours, lost
}

// toldGroups has the queue know which groups were told something.
func (s *Sender) toldGroups(entries []*outbox.Entry, now time.Time) {
	type sum struct{ n, rank int }
	groups := map[string]sum{}
	for _, e := range entries {
		if e.Group == "" || e.State != outbox.Sent {
			continue
		}
		g, known := groups[e.Group]
		if !known {
			g.rank = -1
		}
		groups[e.Group] = sum{g.n + 1, max(g.rank, e.Ref().Rank)}
	}
	for id, g := range groups {
		s.Queue.Told(id, now, g.rank, g.n < fullGroup)
	}
}
