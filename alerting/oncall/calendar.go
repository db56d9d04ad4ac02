package oncall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Calendar is an iCalendar file that was read. Safe for concurrent use.
type Calendar struct {
	happenings []*happening
	person     func(names []string) string
	mu         sync.Mutex // guards the span
	span       *span
}

// shift is a time in which one person is on call.
type shift struct {
	from, to time.Time
	person   string
	uid      string
}

// span is what a calendar says from one instant to another: shifts in order that do not overlap.
type span struct {
	from, to time.Time
	shifts   []shift
	overlaps []string
}

// How far a span reaches around the instant that was asked for.
const (
	spanBack  = 31 * day
	spanAhead = 200 * day
)

// ReadCalendar reads the text of an iCalendar file. person finds whom one of some names means, "" for nobody. Warnings
// tell what was left out, with the line. An error says where, what was found, and what is allowed.
func ReadCalendar(text string, zone *time.Location, person func(names []string) string, now time.Time) (c *Calendar, warnings []string, err error) {
	list, warnings, err := parseCalendar(text, zone)
	if err != nil {
		return nil, nil, err
	}
	c = &Calendar{happenings: list, person: person}
	c.span = c.expand(now.Add(-spanBack), now.Add(spanAhead))
	for _, h := range list {
		if !h.gone && person(h.names) == "" {
			warnings = append(warnings, fmt.Sprintf("line %d: nobody is known as %s: the event counts for nothing", h.line, strings.Join(quoted(h.names), " or ")))
		}
	}
	return c, append(warnings, c.span.overlaps...), nil
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", clip(n))
	}
	if len(out) == 0 {
		return []string{"nothing: it has neither attendee nor summary"}
	}
	return out
}

// at gives who is on call at an instant, and a time before which that does not change.
func (c *Calendar) at(t time.Time) (person string, until time.Time) {
	s := c.around(t)
	i, found := slices.BinarySearchFunc(s.shifts, t, func(x shift, t time.Time) int { return x.from.Compare(t) })
	if !found {
		i--
	}
	if i >= 0 && t.Before(s.shifts[i].to) {
		return s.shifts[i].person, s.shifts[i].to
	}
	if i+1 < len(s.shifts) {
		return "", s.shifts[i+1].from
	}
	return "", s.to
}

// around gives a span that holds an instant.
func (c *Calendar) around(t time.Time) *span {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.Before(c.span.from) && t.Before(c.span.to) {
		return c.span
	}
	c.span = c.expand(t.Add(-spanBack), t.Add(spanAhead))
	return c.span
}

// starts calls take with each start of a happening in a stretch of its wall.
func (h *happening) starts(from, to time.Time, take func(w time.Time)) {
	seen := map[int64]bool{}
	each := func(w time.Time) {
		if !seen[w.Unix()] && !h.not[w.Unix()] && !w.Before(from) && w.Before(to) {
			seen[w.Unix()] = true
			take(w)
		}
	}
	for _, w := range h.also {
		each(w)
	}
	if h.rule == nil {
		each(h.start)
		return
	}
	h.rule.each(to, each)
}

// expand finds the shifts of a span.
func (c *Calendar) expand(from, to time.Time) *span {
	var all []shift
	var taken []time.Time // the starts of which others take the place, by event
	instead := map[string][]time.Time{}
	for _, h := range c.happenings {
		if !h.instead.IsZero() {
			instead[h.uid] = append(instead[h.uid], h.instead)
		}
	}
	for _, h := range c.happenings {
		if h.gone {
			continue
		}
		person := c.person(h.names)
		if person == "" {
			continue
		}
		taken = nil
		if h.instead.IsZero() {
			taken = instead[h.uid]
		}
		length := h.end.Sub(h.start)
		h.starts(wallOf(from, h.zone).Add(-length-day), wallOf(to, h.zone).Add(day), func(w time.Time) {
			s := shift{from: reach(w, h.zone), to: reach(w.Add(length), h.zone), person: person, uid: h.uid}
			if s.from.Before(to) && from.Before(s.to) && s.from.Before(s.to) && !slices.ContainsFunc(taken, s.from.Equal) {
				all = append(all, s)
			}
		})
	}
	out := &span{from: from, to: to}
	out.shifts, out.overlaps = flatten(all)
	return out
}

// flatten cuts shifts so that none overlaps: of several at once the one that began last counts, of those that began
// together the one whose UID is last. What overlaps with different people is told.
func flatten(all []shift) (out []shift, overlaps []string) {
	order := func(a, b shift) int {
		return cmp.Or(a.from.Compare(b.from), strings.Compare(a.uid, b.uid), a.to.Compare(b.to), strings.Compare(a.person, b.person))
	}
	slices.SortFunc(all, order)
	var edges []time.Time
	for _, s := range all {
		edges = append(edges, s.from, s.to)
	}
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)
	next := 0
	var on []shift // those that are on, in order
	for i := 0; i+1 < len(edges); i++ {
		at, until := edges[i], edges[i+1]
		on = slices.DeleteFunc(on, func(s shift) bool { return !s.to.After(at) })
		for ; next < len(all) && all[next].from.Equal(at); next++ {
			for _, other := range on {
				if other.person != all[next].person && len(overlaps) < maxTold {
					overlaps = append(overlaps, fmt.Sprintf("%s and %s are both on call from %s; %s counts, who began last", other.person, all[next].person, at.UTC().Format(time.RFC3339), all[next].person))
				}
			}
			on = append(on, all[next])
		}
		if len(on) == 0 {
			continue
		}
		s := on[len(on)-1]
		if n := len(out); n > 0 && out[n-1].to.Equal(at) && out[n-1].person == s.person {
			out[n-1].to = until
			continue
		}
		out = append(out, shift{from: at, to: until, person: s.person, uid: s.uid})
	}
	return out, overlaps
}

// maxTold is how many of the same kind of warning are told.
const maxTold = 5
