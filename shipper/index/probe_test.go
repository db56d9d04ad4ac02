package index

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/event/filter"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// slow is a shelf whose documents are found some time after they were put.
type slow struct {
	*shelf
	mu    sync.Mutex
	delay time.Duration
	fail  error
	put   map[string]time.Time
	asked []time.Time
}

func newSlow(delay time.Duration) *slow {
	return &slow{shelf: newShelf(0), delay: delay, put: map[string]time.Time{}}
}

func (s *slow) Put(ctx context.Context, docs ...store.Doc) ([]store.Result, error) {
	r, err := s.shelf.Put(ctx, docs...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r {
		s.put[docs[i].Index+"/"+docs[i].ID] = time.Now()
	}
	return r, err
}

func (s *slow) Count(_ context.Context, q store.Query) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.fail != nil {
		return 0, s.fail
	}
	id := q.Where.(filter.Equal).Value.Text //nolint:forcetypeassert // what the probe asks
	if at, there := s.put[q.Indices+"/"+id]; there && time.Since(at) >= s.delay {
		return 1, nil
	}
	return 0, nil
}

func (s *slow) set(delay time.Duration, fail error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay, s.fail = delay, fail
}

func (s *slow) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// TestSearchable holds what is measured to what a store takes until a search finds what it has stored.
func TestSearchable(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, time.Second, 5 * time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b, s := newBus(t), newSlow(delay)
			cfg := DefaultConfig()
			x := look(t, cfg, Deps{Bus: b, Store: s, Search: s})
			if st := x.Status(); st.Searchable == nil || st.Searchable.Waiting || st.Searchable.At != nil {
				t.Errorf("%+v", st.Searchable)
			}
			<-time.After(time.Hour)
			if n := s.questions(); n != 0 {
				t.Fatalf("nothing was stored, and the store was asked %d times", n)
			}
			for i := range 1800 { // an hour
				produce(t, b, bus.TopicLifecycle, line(i, time.Now(), "info"))
				<-time.After(2 * time.Second)
				got := testutil.ToFloat64(x.metrics.probe.gauge())
				if got > 1.35*delay.Seconds()+2*firstLook.Seconds() {
					t.Fatalf("%v s were measured, %v it takes", got, delay)
				}
				if i == 1799 && got < delay.Seconds() {
					t.Errorf("%v s were measured, %v it takes", got, delay)
				}
			}
			if n, most := s.questions(), 61*(2+int(4*math.Log2(2+delay.Seconds()*10))); n < 40 || n > most {
				t.Errorf("the store was asked %d times within an hour, and %d would do", n, most)
			}
			if st := x.Status(); !st.Healthy || st.Searchable.At == nil || st.Searchable.Index == "" {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestNeverFound: while nothing is found the age grows, also when the document has gone, or the store cannot be asked;
// then a newer one ends it.
func TestNeverFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newSlow(time.Hour)
		cfg := DefaultConfig()
		x := look(t, cfg, Deps{Bus: b, Store: s, Search: s})
		produce(t, b, bus.TopicLifecycle, line(0, time.Now(), "info"))
		began := time.Now()
		<-time.After(20 * time.Second)
		if st := x.Status(); !st.Healthy || !st.Searchable.Waiting || math.Abs(st.Searchable.Seconds-time.Since(began).Seconds()) > 1 {
			t.Errorf("%+v", st)
		}
		<-time.After(20 * time.Second)
		if st := x.Status(); st.Healthy || !says(&st, "no search has found what was stored in im-connection-info-") {
			t.Errorf("%+v", st)
		}
		<-time.After(2 * time.Minute)
		s.set(time.Second, errors.New("security_exception: not allowed"))
		produce(t, b, bus.TopicLifecycle, line(1, time.Now(), "info"))
		<-time.After(20 * time.Second)
		if st := x.Status(); !strings.Contains(st.Searchable.Error, "not allowed") || math.Abs(st.Searchable.Seconds-time.Since(began).Seconds()) > 1 {
			t.Errorf("%+v", st.Searchable)
		}
		warned := 0
		for _, e := range x.hook.AllEntries() {
			if strings.Contains(e.Message, "cannot be asked") {
				warned++
			}
		}
		if warned != 1 {
			t.Errorf("warned %d times", warned)
		}
		s.mu.Lock() // what was stored first is gone for good
		for key := range s.put {
			if strings.HasSuffix(key, "0000000000") {
				delete(s.put, key)
			}
		}
		s.mu.Unlock()
		s.set(time.Second, nil)
		<-time.After(10 * time.Second)
		if st := x.Status(); !st.Healthy || st.Searchable.Waiting || st.Searchable.Error == "" {
			t.Errorf("%+v", st)
		}
	})
}

func sing(t *testing.T, b bus.Bus, node string, every time.Duration, at time.Time) {
	t.Helper()
	if err := b.Broadcast(t.Context(), bus.TopicLifecycle, bus.Message{Value: canary.Line(canary.Shipper, node, every, at)}); err != nil {
		t.Fatal(err)
	}
}

// canariesOf gives what the metric says by node.
func canariesOf(t *testing.T, x *looked) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, c := range x.Status().Canaries {
		out[c.Node] = c.Seconds
	}
	if n := testutil.CollectAndCount(newSongs(x.metrics)); n != min(len(out), maxNamed+1) {
		t.Errorf("the metric has %d nodes of %d", n, len(out))
	}
	return out
}

// TestCanariesBySearch measures the way of canaries: written, stored, searchable; and what becomes of it when none comes.
func TestCanariesBySearch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newSlow(2*time.Second)
		cfg := DefaultConfig()
		x := look(t, cfg, Deps{Bus: b, Store: s, Search: s})
		for i := range 5 {
			produce(t, b, bus.TopicLifecycle, line(i, time.Now(), "info"))
			sing(t, b, "a", time.Minute, time.Now())
			sing(t, b, "b", time.Minute, time.Now().Add(-10*time.Second)) // its shipper is late
			<-time.After(time.Minute)
		}
		got := canariesOf(t, x)
		if len(got) != 2 || got["a"] < 2 || got["a"] > 3.2 || got["b"] < 12 || got["b"] > 13.2 {
			t.Errorf("measured %v", got)
		}
		sing(t, b, "b", 0, time.Now()) // it says that no more come
		<-time.After(10 * time.Minute)
		if got := canariesOf(t, x); len(got) != 1 || math.Abs(got["a"]-(10*60+2.5)) > 2 {
			t.Errorf("after ten minutes without a canary: %v", got)
		}
		if st := x.Status(); !st.Healthy || !st.Canaries[0].Late {
			t.Errorf("%+v", st)
		}
		s.setDown(true)
		produce(t, b, bus.TopicLifecycle, line(9, time.Now(), "info"))
		sing(t, b, "a", time.Minute, time.Now())
		<-time.After(time.Hour)
		if got := canariesOf(t, x); got["a"] < 3600 {
			t.Errorf("with the store away for an hour: %v", got)
		}
		s.setDown(false)
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		sing(t, b, "a", time.Minute, time.Now())
		<-time.After(30 * time.Second)
		if got := canariesOf(t, x); got["a"] > 6 {
			t.Errorf("with all well again: %v", got)
		}
		<-time.After(silentAfter)
		if got := canariesOf(t, x); len(got) != 0 {
			t.Errorf("after a day: %v", got)
		}
	})
}

// TestCanariesAreBounded draws the line at names that come and go.
func TestCanariesAreBounded(t *testing.T) {
	t.Parallel()
	var c canaries
	now := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	m := &metrics{now: func() time.Time { return now }}
	for i := range 5000 {
		var e event.Event
		node := strings.Repeat("x", 1+i%2000)
		if err := event.Decode(canary.Line(canary.Shipper, node, time.Minute, now), &e); err != nil {
			t.Fatal(err)
		}
		for _, to := range []*canaries{&c, &m.canaries} {
			to.sing(bus.Message{Topic: "t", Offset: int64(i)}, &e)
		}
	}
	for range 3 {
		for i := range maxWaiting {
			c.sing(bus.Message{Topic: "t", Partition: 1, Offset: int64(i)}, &event.Event{})
		}
	}
	if len(c.waiting) > maxWaiting {
		t.Errorf("%d wait", len(c.waiting))
	}
	m.canaries.stored([]bus.Message{{Topic: "t", Offset: 4998}}, now.Add(time.Second))
	if n := len(m.canaries.waiting); n != 1 {
		t.Errorf("%d wait", n)
	}
	if n := len(m.canaries.nodes); n != maxSinging {
		t.Errorf("%d nodes", n)
	}
	if n := testutil.CollectAndCount(newSongs(m)); n != maxNamed+1 {
		t.Errorf("%d are named", n)
	}
}
