package membus

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"imwatch/internal/bus"
)

var _ bus.Lagger = (*consumer)(nil)

// Lags tells how far each partition is behind, as it is now; see bus.Lagger.
func (c *consumer) Lags() []bus.Lag {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if c.closed {
		return nil
	}
	now := time.Now()
	out := make([]bus.Lag, 0, len(c.at))
	for at, next := range c.at {
		p := &c.bus.topics[at.topic][at.partition]
		committed := next
		if c.group != nil {
			committed = c.group.committed[at]
		}
		next, committed = p.there(next), p.there(committed)
		out = append(out, bus.Lag{
			Topic: at.topic, Partition: at.partition, Next: next, Committed: committed, End: p.end(), Seen: now,
			Until: p.before(next, now), Stored: p.before(committed, now),
		})
	}
	slices.SortFunc(out, func(a, b bus.Lag) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// there is an offset, or the oldest one where it is gone or not given yet.
func (p *partition) there(offset int64) int64 {
	if offset < p.start || offset > p.end() {
		return p.start
	}
	return offset
}

// before gives up to when all that was produced stands before an offset.
func (p *partition) before(offset int64, now time.Time) time.Time {
	if offset < p.end() {
		return p.messages[offset-p.start].Time
	}
	return now
}
