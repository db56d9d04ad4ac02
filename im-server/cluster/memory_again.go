package cluster

import (
	"hash/maphash"
	"sync"
	"time"
)

// How many ids are remembered at most: of one shard (which one busy topic may fill alone), and of all, where each shard
// is down to its share. When there are more than these within the time of deduplication, the oldest are forgotten.
const (
	againShard = 1 << 18
	againShare = 1 << 14
	againAll   = 1 << 21
)

type id [2]uint64

// again knows the messages of a shard's topics by their ids, for between one and two times the time of deduplication: there
// are two generations of them, and the older one goes as a whole.
type again struct {
	seeds    [2]maphash.Seed
	mu       sync.Mutex
	cur, old map[id]int64 // their offsets
	began    time.Time    // of cur
}

func (a *again) key(m *Message) id {
	var k id
	for i, seed := range a.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		for _, s := range [...]string{m.Topic, "\x00", m.From, "\x00", m.ID} {
			_, _ = h.WriteString(s) // never fails
		}
		k[i] = h.Sum64()
	}
	return k
}

// seen gives the offset of a message that is known, else it notes the one that it gets.
func (a *again) seen(k id, offset int64, now time.Time, s *space) (int64, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now, s)
	for _, gen := range [...]map[id]int64{a.cur, a.old} {
		if known, ok := gen[k]; ok {
			return known, true
		}
	}
	a.cur[k] = offset
	s.known.Add(1)
	return offset, false
}

// sweep forgets what is too old where nothing is published any more.
func (a *again) sweep(now time.Time, s *space) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cur != nil && now.Sub(a.began) >= 2*s.keep.Dedupe {
		s.known.Add(-int64(len(a.cur) + len(a.old)))
		a.cur, a.old = nil, nil
	}
}

// turn begins a new generation when it is time or there are too many.
func (a *again) turn(now time.Time, s *space) {
	full := len(a.cur) >= againShard || len(a.cur) >= againShare && s.known.Load() >= againAll
	switch age := now.Sub(a.began); {
	case a.cur == nil || age >= 2*s.keep.Dedupe:
		s.known.Add(-int64(len(a.cur) + len(a.old)))
		a.cur, a.old, a.began = map[id]int64{}, nil, now
	case full || age >= s.keep.Dedupe:
		s.known.Add(-int64(len(a.old)))
		a.cur, a.old, a.began = map[id]int64{}, a.cur, now
	}
}
