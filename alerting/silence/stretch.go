package silence

import (
	"slices"
	"strings"
	"time"
)

// Stretch is a time in which a silence is on without a gap.
type Stretch struct {
	From  time.Time // zero: since ever
	Until time.Time // zero: for ever
}

// reach is how far back and ahead the stretches of a weekly silence are looked for.
const reach = 8 * 24 * time.Hour

// Stretches gives when a valid silence is on, as far as it ends after a time and begins at or before another one, in order;
// those of a weekly silence that touch are one, and none of them begins more than eight days before.
func (s *Silence) Stretches(from, to time.Time) []Stretch {
	c, _, err := compile(s)
	if err != nil {
		return nil
	}
	return c.stretches(from, to)
}

func (c *compiled) stretches(from, to time.Time) []Stretch {
	var list []Stretch
	for _, s := range c.parts(from.Add(-reach), to) {
		if n := len(list); n > 0 && !s.From.After(list[n-1].Until) {
			if s.Until.After(list[n-1].Until) {
				list[n-1].Until = s.Until
			}
			continue
		}
		list = append(list, s)
	}
	return slices.DeleteFunc(list, func(s Stretch) bool {
		return !s.Until.IsZero() && !s.Until.After(from) || s.From.After(to)
	})
}

// parts gives the stretches as they are written down, in the order of their beginning, cut to the silence's life.
func (c *compiled) parts(from, to time.Time) []Stretch {
	if len(c.weekly) == 0 {
		if !c.until.IsZero() && !c.From.Before(c.until) {
			return nil
		}
		return []Stretch{{c.From, c.until}}
	}
	var list []Stretch
	for i := range c.weekly {
		w := &c.weekly[i]
		for day := from.In(w.zone).AddDate(0, 0, -1); !day.After(to.In(w.zone).AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
			if s, ok := w.on(day); ok {
				list = append(list, s)
			}
		}
	}
	for i := range list {
		s := &list[i]
		if s.From.Before(c.From) {
			s.From = c.From
		}
		if !c.until.IsZero() && s.Until.After(c.until) {
			s.Until = c.until
		}
	}
	list = slices.DeleteFunc(list, func(s Stretch) bool { return !s.From.Before(s.Until) })
	slices.SortFunc(list, func(a, b Stretch) int { return a.From.Compare(b.From) })
	return list
}

// on gives the stretch that begins on a day, if one does.
func (w *week) on(day time.Time) (Stretch, bool) {
	if !w.On[day.Weekday()] {
		return Stretch{}, false
	}
	to := day
	if w.Over() {
		to = day.AddDate(0, 0, 1)
	}
	return Stretch{w.at(day, w.From), w.at(to, w.Until)}, true
}

// A mark says of a notification which maintenance window held it: the silence's id, and for weekly ones a second mark with the
// beginning of the stretch, so that each week is counted by itself.
func (c *compiled) marks(now time.Time) []string {
	if len(c.weekly) == 0 {
		if _, on := c.on(now); on {
			return []string{c.ID}
		}
		return nil
	}
	for _, s := range c.parts(now.Add(-2*24*time.Hour), now) {
		if !now.Before(s.From) && now.Before(s.Until) {
			return []string{c.ID, c.ID + "@" + s.From.UTC().Format(time.RFC3339)}
		}
	}
	return nil
}

// Marked says whether marks name a stretch of the silence.
func (s *Silence) Marked(marks []string, in Stretch) bool {
	return slices.ContainsFunc(marks, func(m string) bool {
		id, begin, weekly := strings.Cut(m, "@")
		if id != s.ID || weekly != (len(s.Weekly) > 0) {
			return false
		}
		if !weekly {
			return true
		}
		at, err := time.Parse(time.RFC3339, begin)
		return err == nil && !at.Before(in.From.Truncate(time.Second)) && at.Before(in.Until)
	})
}
