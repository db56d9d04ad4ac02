package silence

import (
	"fmt"
	"time"

	"imwatch/alerting/route"
	"imwatch/event"
)

// Book is all silences that there are. Immutable and safe for concurrent use: a change makes another one.
type Book struct {
	list  []compiled
	index *route.Index
}

// NewBook makes a book. A silence that is not valid is an error that names it.
func NewBook(silences []*Silence) (*Book, error) {
	b := &Book{}
	var lists [][]route.Matcher
	for _, s := range silences {
		c, matchers, err := compile(s)
		if err != nil {
			return nil, fmt.Errorf("silence %q: %w", s.ID, err)
		}
		b.list = append(b.list, c)
		lists = append(lists, matchers)
	}
	b.index = route.NewIndex(lists)
	return b, nil
}

// Held is why an alert is not told now.
type Held struct {
	Silence *Silence
	Windows []string  // marks of the maintenance windows that hold it now, see Mark
	Until   time.Time // when no silence of now and of then holds it any more, a week ahead at most: look again
}

// horizon is how far Until looks ahead: silences that follow one another without a gap could go on for ever.
const horizon = 7 * 24 * time.Hour

// Held says whether a silence holds an alert at a time. Of several it gives the one that lasts longest now.
// The warning that a silence ends is not held by that silence.
func (b *Book) Held(a *event.Alert, now time.Time) (Held, bool) {
	h := Held{Until: now}
	var found []*compiled
	b.index.Find(a, func(i int) bool {
		c := &b.list[i]
		if a.RuleID == EndsRule && a.Labels[IDLabel] == c.ID {
			return true
		}
		if found = append(found, c); c.Kind == Maintenance {
			h.Windows = append(h.Windows, c.marks(now)...)
		}
		return true
	})
	for limit := now.Add(horizon); h.Until.Before(limit); {
		by, until := longest(found, h.Until, limit)
		if by == nil {
			break
		}
		if h.Silence == nil {
			h.Silence = by.Silence
		}
		h.Until = until
	}
	return h, h.Silence != nil
}

// longest gives the silence that is on at a time and lasts longest, limit at most.
func longest(list []*compiled, at, limit time.Time) (by *compiled, until time.Time) {
	for _, c := range list {
		end, on := c.on(at)
		if !on {
			continue
		}
		if end.IsZero() || end.After(limit) {
			end = limit
		}
		if by == nil || end.After(until) {
			by, until = c, end
		}
	}
	return by, until
}
