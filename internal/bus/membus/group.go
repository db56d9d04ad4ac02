package membus

import "slices"

// place is one partition of one topic.
type place struct {
	topic     string
	partition int
}

// group is a consumer group: what it has committed and who shares its partitions, in the order of joining.
type group struct {
	committed map[place]int64
	members   []*consumer
}

// rebalance gives each partition to one of the members that asked for its topic. Like a real group's, it begins
// again at the committed offsets everywhere: what was fetched and not committed is delivered once more. The bus's
// lock is held.
func (b *Bus) rebalance(g *group) {
	var topics []string
	for _, c := range g.members {
		c.at, c.order = map[place]int64{}, nil
		if c.share != nil {
			close(c.share)
		}
		c.share = make(chan struct{})
		topics = append(topics, c.topics...)
	}
	slices.Sort(topics)
	for _, t := range slices.Compact(topics) {
		var takers []*consumer
		for _, c := range g.members {
			if slices.Contains(c.topics, t) {
				takers = append(takers, c)
			}
		}
		for p := range b.topics[t] {
			takers[p%len(takers)].take(place{t, p}, g.committed[place{t, p}])
		}
	}
	b.wake()
}
