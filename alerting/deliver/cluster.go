package deliver

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/outbox"
)

// cluster is what is known here of one group. When it is told is a guess until the store was asked, as another alerter
// may hold some of it or have told some: so nothing of it is told without having asked just before.
type cluster struct {
	id       string
	lines    map[*line]struct{} // of which the first is of this group
	interval time.Duration
	first    time.Time // when the first of those that wait is due; zero: not known
	floor    time.Time // not before this: the interval after the last message, or while another one is telling it
	own      time.Time // the interval after the last message from here
	rank     int       // the gravest that waits or was told since floor less the interval; -1: none
	look     bool      // ask the store at once: something may break through
	pulled   bool      // the store was asked: something does
	asked    time.Time // when the store was asked; zero: that does not count any more
	known    bool      // it was asked, or something was told from here
}

// sure is for how long the store's answer counts.
const sure = time.Second

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// due is when the group is told at the latest for the sake of one that waits by itself until wait.
func (c *cluster) due(wait time.Time) time.Time {
	if c.look || c.pulled {
		return time.Time{}
	}
	if !c.first.IsZero() && c.first.Before(wait) {
		wait = c.first
	}
	return later(wait, c.floor)
}

// unsure says whether the store is to be asked before anything is told.
func (c *cluster) unsure(now time.Time) bool { return c.look || now.Sub(c.asked) >= sure }

// cluster gives the group of a notification; nil: it has none.
func (q *Queue) cluster(r outbox.Ref) *cluster {
	if r.Group == "" {
		return nil
	}
	c := q.groups[r.Group]
	if c == nil {
		c = &cluster{id: r.Group, lines: map[*line]struct{}{}, rank: -1}
		q.groups[r.Group] = c
	}
	c.interval = r.Interval
	return c
}

// move has a line stand in a group, and in no other one.
func (q *Queue) move(l *line, to *cluster) {
	if l.group == to {
		return
	}
	if l.group != nil {
		delete(l.group.lines, l)
	}
	if l.group = to; to != nil {
		to.lines[l] = struct{}{}
	}
}

// joined notes what came to a line: it may be what its group waits for, or too grave to wait.
func (q *Queue) joined(l *line, r outbox.Ref) {
	if head := l.group; head != nil && r.Rose && l.taken == 0 && !head.look {
		q.change(head, func() { head.look = true }) // what is told before it must not wait either
	}
	c := q.cluster(r)
	if c == nil {
		return
	}
	if c.floor.Before(r.At) && len(c.lines) <= 1 { // what was told is long ago, and nothing else waits
		c.rank, c.known = -1, false
	}
	first := c.first.IsZero() || r.Wait.Before(c.first)
	look := r.Rose || r.Joins() && (!c.known || r.Rank > c.rank)
	c.rank = max(c.rank, r.Rank)
	if first || look && !c.look {
		q.change(c, func() {
			if first {
				c.first = r.Wait
			}
			c.look = c.look || look
		})
	}
}

// change changes the times of a group, and gives its lines their places.
func (q *Queue) change(c *cluster, f func()) {
	for l := range c.lines {
		if l.heap != nil {
			heap.Remove(l.heap, l.at)
		}
	}
	f()
	for l := range c.lines {
		q.settle(l)
	}
}

// Unsure gives the groups, with their intervals, that seem due and about which the store is to be asked first: that of
// the head, and with it up to n. None: the head may be told.
func (q *Queue) Unsure(now time.Time, n int) map[string]time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, _ := q.head(now)
	if l == nil || l.group == nil || !l.group.unsure(now) {
		return nil
	}
	out := map[string]time.Duration{l.group.id: l.group.interval}
	for id, c := range q.groups {
		if len(out) >= n {
			break
		}
		if len(c.lines) > 0 && c.unsure(now) && !c.due(c.first).After(now) {
			out[id] = c.interval
		}
	}
	return out
}

// Of gives all notifications of some groups, by id.
func (q *Queue) Of(groups map[string]time.Duration) map[string]outbox.Ref {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[string]outbox.Ref{}
	for id := range groups {
		if c := q.groups[id]; c != nil {
			for l := range c.lines {
				for _, r := range l.refs {
					if r.Group == id {
						out[r.ID] = r
					}
				}
			}
		}
	}
	return out
}

// Learn takes in what the store says of a group. gone says which of those that were here when it was asked do not wait
// any more.
func (q *Queue) Learn(group string, when Timing, gone func(id string) bool, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.groups[group]
	if c == nil {
		return
	}
	for l := range c.lines {
		for i := len(l.refs) - 1; i >= 0 && l.taken == 0; i-- {
			if gone(l.refs[i].ID) {
				q.out(l, i)
			}
		}
	}
	for l := range c.lines { // what is told before something that breaks through must not wait either
		if !l.held && !l.refs[0].Due.After(now) && slices.ContainsFunc(l.refs[1:], func(r outbox.Ref) bool { return r.Rose }) {
			when.Breaks = true
		}
	}
	q.change(c, func() {
		c.first, c.floor, c.rank, c.pulled = when.First, later(when.Floor, c.own), when.Rank, when.Breaks
		c.look, c.asked, c.known = false, now, true
	})
}

// Later has a group told no sooner than at a time, and the store asked before.
func (q *Queue) Later(group string, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.groups[group]; c != nil {
		q.change(c, func() {
			c.floor, c.look, c.pulled, c.asked = later(c.floor, until), false, false, time.Time{}
		})
	}
}

// Told notes that something of a group was told, the gravest of it of a rank. all: as much of it as there was.
func (q *Queue) Told(group string, at time.Time, rank int, all bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.groups[group]
	if c == nil {
		return
	}
	q.change(c, func() {
		if c.own = (time.Time{}); all {
			c.own = at.Add(c.interval)
			c.floor = c.own
		}
		c.first, c.rank, c.look, c.pulled, c.asked, c.known = time.Time{}, rank, false, false, time.Time{}, true
		for l := range c.lines {
			if r := &l.refs[0]; l.taken == 0 {
				c.rank = max(c.rank, r.Rank)
				if c.first.IsZero() || r.Wait.Before(c.first) {
					c.first = r.Wait
				}
			}
		}
	})
	q.forget(at)
}

// forget lets go of groups of which nothing waits and nothing was told lately. It looks when there are twice as many as
// were left the last time.
func (q *Queue) forget(now time.Time) {
	if len(q.groups) < max(1000, q.enough) {
		return
	}
	for id, c := range q.groups {
		if len(c.lines) == 0 && !c.floor.After(now) {
			delete(q.groups, id)
		}
	}
	q.enough = 2 * len(q.groups)
}

// TakeGroup takes what is due of a group, up to about n notifications: of each alert all that is of this group,
// in their order, and the alerts in that of their decision. Each goes back by Again, or out by Drop.
func (q *Queue) TakeGroup(group string, now time.Time, n int) []outbox.Ref {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.groups[group]
	if c == nil {
		return nil
	}
	var lines []*line
	for l := range c.lines {
		if l.taken == 0 && !l.due().After(now) {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(lines, func(a, b *line) int {
		return cmp.Or(a.refs[0].At.Compare(b.refs[0].At), strings.Compare(a.refs[0].ID, b.refs[0].ID))
	})
	var out []outbox.Ref
	for _, l := range lines {
		of := slices.IndexFunc(l.refs, func(r outbox.Ref) bool { return r.Group != group || r.Due.After(now) })
		if of < 0 {
			of = len(l.refs)
		}
		if len(out) > 0 && len(out)+of > n {
			break
		}
		q.take(l, of)
		out = append(out, l.refs[:of]...)
	}
	return out
}
