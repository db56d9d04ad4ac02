package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ear notes what a node hears.
type ear struct {
	mu   sync.Mutex
	got  []*Message
	seen []string
}

func (e *ear) Deliver(m *Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, m)
}
func (e *ear) Lost([]string) {}
func (e *ear) Ask(request []byte) ([]byte, error) {
	return append([]byte("re "), request...), nil
}
func (e *ear) Seen(user string, online bool) { e.seen = append(e.seen, fmt.Sprint(user, online)) }
func (e *ear) Changed(bool, string, error)   {}

func testMemory(t *testing.T) (*Memory, *ear) {
	t.Helper()
	m := NewMemory(Options{Node: "a", Boot: "1", Keep: Keep{Messages: 3, Age: time.Hour, Dedupe: time.Minute, Positions: 2 * time.Hour}})
	e := &ear{}
	m.Bind(e)
	return m, e
}

func say(t *testing.T, m *Memory, topic, id string) Receipt {
	t.Helper()
	r, err := m.Publish(t.Context(), Message{Topic: topic, ID: id, From: "al", At: time.Now().UnixMilli(), Body: []byte(`"x"`)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMemoryForgetsByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := testMemory(t)
		wait := func(d time.Duration) { <-time.After(d) } // the bubble's time
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		first := say(t, m, "r:1", "1")
		wait(59 * time.Second)
		if r := say(t, m, "r:1", "1"); !r.Duplicate || r.Offset != 1 || r.Epoch != first.Epoch {
			t.Errorf("published again within the time of deduplication: %+v", r)
		}
		if err := m.SetInbox(ctx, "bo", "phone", "e", 4); err != nil {
			t.Fatal(err)
		}
		wait(time.Hour + time.Minute)
		p, err := m.Read(ctx, "r:1", 0, 10)
		if err != nil || p.First != 2 || p.Last != 1 || p.Epoch != first.Epoch || len(p.Messages) != 0 {
			t.Errorf("after the age of messages: %+v, %v", p, err)
		}
		wait(2 * time.Hour)
		if p, _ := m.Read(ctx, "r:1", 0, 10); p.Epoch != "" || p.Last != 0 {
			t.Errorf("after the time of positions: %+v", p)
		}
		if epoch, offset, _ := m.Inbox(ctx, "bo", "phone"); epoch != "" || offset != 0 {
			t.Errorf("the inbox is still at %s %d", epoch, offset)
		}
		for i := range m.space.topics {
			if n, a := len(m.space.topics[i].topics), m.space.topics[i].again.cur; n != 0 || a != nil {
				t.Errorf("shard %d keeps %d topics and ids %v", i, n, a)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := m.Publish(t.Context(), Message{}); !errors.Is(err, ErrClosed) {
			t.Errorf("published to what is closed: %v", err)
		}
	})
}

func TestMemoryForgetsTheOldestIDsWhenThereAreTooMany(t *testing.T) {
	s := &space{keep: Keep{Dedupe: time.Hour}}
	var a again
	now := time.Now()
	for i := range 3 * againShard {
		a.seen(id{uint64(i)}, int64(i), now, s)
	}
	if n := len(a.cur) + len(a.old); n > 2*againShard || int64(n) != s.known.Load() {
		t.Errorf("%d ids are kept, counted %d", n, s.known.Load())
	}
	if at, known := a.seen(id{3*againShard - 1}, 0, now, s); !known || at != 3*againShard-1 {
		t.Error("the newest is not known")
	}
}

func BenchmarkMemoryPublish(b *testing.B) {
	m := NewMemory(Options{Node: "a", Boot: "1", Keep: DefaultKeep()})
	m.Bind(&ear{})
	body := []byte(`"hello"`)
	at, i := time.Now().UnixMilli(), 0
	for b.Loop() {
		i++
		_, _ = m.Publish(b.Context(), Message{Topic: "r:1", ID: strconv.Itoa(i), From: "al", At: at, Body: body})
	}
}
