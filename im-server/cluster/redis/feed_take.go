package redis

import (
	"hash/maphash"

	"imwatch/im-server/cluster"
)

var printSeed = maphash.MakeSeed()

func printOf(identity string) uint64 { return maphash.String(printSeed, identity) }

// take hands out what came by a channel.
func (f *feed) take(channel, payload string) {
	f.mu.RLock()
	s := f.subs[channel]
	f.mu.RUnlock()
	if s == nil {
		return // left, and still under way
	}
	switch s.kind {
	case 't':
		f.message(s, payload)
	case 'p':
		f.presence(s, payload == "1")
	case 'c':
		f.c.calls.asked(f.ctx, payload)
	case 'r':
		f.c.calls.replied(payload)
	}
}

func (f *feed) message(s *sub, payload string) {
	m, err := parseFeed(s.name, payload)
	if err != nil {
		f.c.metrics.garbled.Inc()
		return
	}
	m.Again = f.c.handed.before(m)
	if m.Epoch == s.seen.epoch && m.Offset <= s.seen.offset {
		// Redis gives each number once, unless it has forgotten some of what it had taken.
		f.mu.Lock()
		s.suspect()
		f.doubt(s)
		f.mu.Unlock()
	} else {
		s.seen = seen{m.Epoch, m.Offset, printOf(identity(m))}
	}
	mu := f.c.order.of(s.name)
	mu.Lock()
	defer mu.Unlock()
	f.c.receiver.Deliver(m)
}

func (f *feed) presence(s *sub, online bool) {
	mu := f.c.order.of(cluster.User + s.name)
	mu.Lock()
	defer mu.Unlock()
	s.online = online
	f.c.receiver.Seen(s.name, online)
}
