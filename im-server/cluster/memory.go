package cluster

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Keep bounds what is kept of messages. The zero Keep is not valid; DefaultKeep gives the defaults.
type Keep struct {
	Messages int           `yaml:"messages" doc:"messages kept of one topic"`
	Age      time.Duration `yaml:"age" doc:"how long a message is kept, and what a device has acknowledged is remembered"`
	Dedupe   time.Duration `yaml:"dedupe" doc:"how long a sender's message ids are remembered, so that one sent twice is published once"`
}

// DefaultKeep gives the defaults.
func DefaultKeep() Keep {
	return Keep{Messages: 1000, Age: 72 * time.Hour, Dedupe: 10 * time.Minute}
}

// Memory is the cluster of a node that stands alone: everything is in its memory, and gone with it. Make it with
// NewMemory, and Bind it before use. Safe for concurrent use.
type Memory struct {
	keep Keep
	now  func() time.Time
	to   Receiver
	seed maphash.Seed
	boot string
	made atomic.Uint64 // topics, for their epochs

	ids    [memoryShards]memoryIDs // locked before topics
	topics [memoryShards]memoryTopics

	people memoryPeople
}

const memoryShards = 64

// memoryIDs holds the message ids of senders whose hash is its own.
type memoryIDs struct {
	mu    sync.Mutex
	ids   map[string]Receipt // by sender and id
	order []rememberedID     // oldest first
}

// memoryTopics holds the topics whose hash is its own.
type memoryTopics struct {
	mu     sync.Mutex
	topics map[string]*memoryTopic
}

type rememberedID struct {
	key string
	at  int64 // milliseconds since 1970
}

type memoryTopic struct {
	mu       sync.Mutex
	epoch    string
	last     int64
	messages []Message // the newest, in order
	gone     bool      // taken out of its shard
}

var _ Cluster = (*Memory)(nil)

// NewMemory makes a memory that keeps what keep says. now is its clock.
func NewMemory(keep Keep, now func() time.Time) *Memory {
	m := &Memory{keep: keep, now: now, seed: maphash.MakeSeed(), boot: rand.Text()[:8]}
	for i := range memoryShards {
		m.topics[i].topics, m.ids[i].ids = map[string]*memoryTopic{}, map[string]Receipt{}
	}
	m.people.init()
	return m
}

// Bind says who takes the messages; it must be called once, before anything else.
func (m *Memory) Bind(r Receiver) { m.to = r }

func (m *Memory) shard(key string) uint64 { return maphash.String(m.seed, key) % memoryShards }

// Publish appends a message and hands it to the Receiver before it returns.
func (m *Memory) Publish(_ context.Context, msg Message) (Receipt, error) {
	key := msg.From + "\x00" + msg.ID
	ids := &m.ids[m.shard(key)]
	ids.mu.Lock()
	if r, ok := ids.ids[key]; ok {
		ids.mu.Unlock()
		r.Duplicate = true
		return r, nil
	}
	// Under this lock, so that the same message by two connections is not published twice.
	r := m.append(&msg)
	ids.ids[key] = r
	ids.order = append(ids.order, rememberedID{key, msg.At})
	ids.forget(msg.At - m.keep.Dedupe.Milliseconds())
	ids.mu.Unlock()
	return r, nil
}

func (m *Memory) append(msg *Message) Receipt {
	t := m.lockTopic(msg.Topic)
	defer t.mu.Unlock()
	t.last++
	msg.Epoch, msg.Offset = t.epoch, t.last
	if len(t.messages) >= m.keep.Messages {
		t.messages = append(t.messages[:0], t.messages[len(t.messages)-m.keep.Messages+1:]...)
	}
	t.messages = append(t.messages, *msg)
	m.to.Deliver(msg)
	return Receipt{Epoch: t.epoch, Offset: t.last}
}

// forget drops the oldest ids that came before an instant, a few at a time.
func (s *memoryIDs) forget(before int64) {
	const most = 8
	n := 0
	for n < len(s.order) && n < most && s.order[n].at < before {
		delete(s.ids, s.order[n].key)
		n++
	}
	s.order = s.order[n:]
}

// lockTopic gives a topic, made where there is none, locked.
func (m *Memory) lockTopic(name string) *memoryTopic {
	s := &m.topics[m.shard(name)]
	for {
		s.mu.Lock()
		t := s.topics[name]
		if t == nil {
			t = &memoryTopic{epoch: m.boot + strconv.FormatUint(m.made.Add(1), 36)}
			s.topics[name] = t
		}
		s.mu.Unlock()
		t.mu.Lock()
		if !t.gone {
			return t
		}
		t.mu.Unlock()
	}
}

// Read gives a piece of a topic.
func (m *Memory) Read(_ context.Context, topic string, after int64, limit int) (Page, error) {
	s := &m.topics[m.shard(topic)]
	s.mu.Lock()
	t := s.topics[topic]
	s.mu.Unlock()
	if t == nil {
		return Page{First: 1}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := Page{Epoch: t.epoch, First: t.last - int64(len(t.messages)) + 1, Last: t.last}
	if skip := max(0, after-p.First+1); skip < int64(len(t.messages)) {
		rest := t.messages[skip:]
		p.Messages = append(p.Messages, rest[:min(limit, len(rest))]...)
	}
	return p, nil
}

// Follow does nothing: every message goes to the Receiver.
func (m *Memory) Follow(context.Context, string) error { return nil }

// Unfollow does nothing.
func (m *Memory) Unfollow(string) {}

// Run drops what is too old, each minute, until ctx ends.
func (m *Memory) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.sweep(m.now())
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep drops what is too old at an instant.
func (m *Memory) sweep(now time.Time) {
	oldest, before := now.Add(-m.keep.Age).UnixMilli(), now.Add(-m.keep.Dedupe).UnixMilli()
	for i := range memoryShards {
		ids := &m.ids[i]
		ids.mu.Lock()
		for len(ids.order) > 0 && ids.order[0].at < before {
			ids.forget(before)
		}
		ids.mu.Unlock()
		s := &m.topics[i]
		s.mu.Lock()
		for name, t := range s.topics {
			if t.expire(oldest) {
				delete(s.topics, name)
			}
		}
		s.mu.Unlock()
	}
	m.people.sweep(now, m.keep.Age)
}

// expire drops messages from before an instant and says whether nothing is left. The next message is of a new epoch
// then.
func (t *memoryTopic) expire(before int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.messages) && t.messages[n].At < before {
		n++
	}
	t.messages = append([]Message(nil), t.messages[n:]...)
	t.gone = len(t.messages) == 0
	return t.gone
}

// Ready is always true.
func (m *Memory) Ready() bool { return true }
