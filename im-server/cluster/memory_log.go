package cluster

import (
	"context"
	"slices"
	"sync"
	"time"
)

type topicShard struct {
	mu     sync.RWMutex
	topics map[string]*topic
	again  again
}

// topic keeps its messages in a slice whose head moves: kept[head:] are those not dropped yet.
type topic struct {
	mu        sync.Mutex
	name      string
	epoch     string // "" until the first message
	last      int64
	kept      []*Message
	head      int
	followers []*Memory
	used      int64 // when it was last published to, milliseconds
	gone      bool  // swept out: look it up again
}

// Publish implements Log.
func (m *Memory) Publish(ctx context.Context, msg Message) (Receipt, error) {
	if err := m.enter(ctx); err != nil {
		return Receipt{}, err
	}
	now := m.space.now()
	sh := &m.space.topics[m.space.shard(msg.Topic)]
	for {
		t := sh.get(msg.Topic)
		if r, ok := m.publish(sh, t, &msg, now); ok {
			return r, nil
		}
	}
}

func (m *Memory) publish(sh *topicShard, t *topic, msg *Message, now time.Time) (Receipt, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return Receipt{}, false
	}
	if t.epoch == "" {
		t.epoch = newEpoch()
	}
	key := sh.again.key(msg)
	if offset, known := sh.again.seen(key, t.last+1, now, m.space); known {
		return Receipt{Epoch: t.epoch, Offset: offset, Duplicate: true}, true
	}
	t.last++
	t.used = now.UnixMilli()
	kept := *msg
	kept.Epoch, kept.Offset, kept.Again = t.epoch, t.last, false
	t.kept = append(t.kept, &kept)
	t.trim(m.space.keep, now)
	for _, f := range t.followers {
		f.receiver.Deliver(&kept)
	}
	return Receipt{Epoch: t.epoch, Offset: t.last}, true
}

// Read implements Log.
func (m *Memory) Read(ctx context.Context, name string, after int64, limit int) (Page, error) {
	if err := m.enter(ctx); err != nil {
		return Page{}, err
	}
	sh := &m.space.topics[m.space.shard(name)]
	sh.mu.RLock()
	t := sh.topics[name]
	sh.mu.RUnlock()
	if t == nil {
		return Page{First: 1}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim(m.space.keep, m.space.now())
	kept := t.kept[t.head:]
	p := Page{Epoch: t.epoch, First: t.last - int64(len(kept)) + 1, Last: t.last}
	skip := min(max(after-p.First+1, 0), int64(len(kept)))
	kept = kept[skip:]
	kept = kept[:max(0, min(limit, len(kept)))]
	for _, msg := range kept {
		p.Messages = append(p.Messages, *msg)
	}
	return p, nil
}

// Follow implements Log.
func (m *Memory) Follow(ctx context.Context, name string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	sh := &m.space.topics[m.space.shard(name)]
	for {
		t := sh.get(name)
		t.mu.Lock()
		if t.gone {
			t.mu.Unlock()
			continue
		}
		if !slices.Contains(t.followers, m) {
			t.followers = append(t.followers, m)
		}
		t.mu.Unlock()
		return nil
	}
}

// Unfollow implements Log.
func (m *Memory) Unfollow(name string) {
	sh := &m.space.topics[m.space.shard(name)]
	sh.mu.RLock()
	t := sh.topics[name]
	sh.mu.RUnlock()
	if t == nil {
		return
	}
	t.mu.Lock()
	t.followers = without(t.followers, m)
	unused := t.followers == nil && t.last == 0
	t.mu.Unlock()
	if unused {
		sh.drop(t, func() bool { return t.followers == nil && t.last == 0 })
	}
}

func (sh *topicShard) get(name string) *topic {
	sh.mu.RLock()
	t := sh.topics[name]
	sh.mu.RUnlock()
	if t != nil {
		return t
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if t = sh.topics[name]; t == nil {
		t = &topic{name: name}
		sh.topics[name] = t
	}
	return t
}

// drop takes a topic out if it is still unused.
func (sh *topicShard) drop(t *topic, unused func() bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.gone && unused() {
		t.gone = true
		delete(sh.topics, t.name)
	}
}

// all gives the topics of now, so that none is held up while each is looked at.
func (sh *topicShard) all() []*topic {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	out := make([]*topic, 0, len(sh.topics))
	for _, t := range sh.topics {
		out = append(out, t)
	}
	return out
}

func (sh *topicShard) sweep(s *space, now time.Time) {
	keep := s.keep
	sh.again.sweep(now, s)
	before := now.Add(-keep.Positions).UnixMilli()
	for _, t := range sh.all() {
		unused := func() bool { return t.followers == nil && t.head == len(t.kept) && t.used < before }
		t.mu.Lock()
		t.trim(keep, now)
		old := unused()
		t.mu.Unlock()
		if old {
			sh.drop(t, unused)
		}
	}
}

func (sh *topicShard) forget(m *Memory) {
	for _, t := range sh.all() {
		t.mu.Lock()
		t.followers = without(t.followers, m)
		t.mu.Unlock()
	}
}

// trim drops what is too much and what is too old.
func (t *topic) trim(keep Keep, now time.Time) {
	before := now.Add(-keep.Age).UnixMilli()
	for t.head < len(t.kept) && (len(t.kept)-t.head > keep.Messages || t.kept[t.head].At < before) {
		t.kept[t.head] = nil
		t.head++
	}
	switch {
	case t.head == len(t.kept):
		t.kept, t.head = nil, 0
	case t.head > len(t.kept)/2 && t.head >= 16:
		n := copy(t.kept, t.kept[t.head:])
		clear(t.kept[n:])
		t.kept, t.head = t.kept[:n], 0
	}
}
