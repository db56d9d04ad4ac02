package detector_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/detector/backtest"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// growing is a store that can be added to.
type growing struct {
	mu     sync.Mutex
	events []*event.Event
	down   bool
}

func (g *growing) add(events ...*event.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range events {
		c := e.Clone()
		c.SetTime(event.FieldEventIngested, time.Now())
		g.events = append(g.events, c)
	}
}

func (g *growing) set(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

func (g *growing) now() (store.Reader, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return nil, fmt.Errorf("the store is away: %w", store.ErrUnavailable)
	}
	return backtest.NewMemory(append([]*event.Event(nil), g.events...)), nil
}

func (g *growing) Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	r, err := g.now()
	if err != nil {
		return func(yield func(store.Hit, error) bool) { yield(store.Hit{}, err) }
	}
	return r.Search(ctx, q)
}

func (g *growing) Aggregate(ctx context.Context, q store.Query, by []filter.Field, interval time.Duration) iter.Seq2[store.Bucket, error] {
	r, err := g.now()
	if err != nil {
		return func(yield func(store.Bucket, error) bool) { yield(store.Bucket{}, err) }
	}
	return r.Aggregate(ctx, q, by, interval)
}

func (g *growing) Count(ctx context.Context, q store.Query) (int64, error) {
	r, err := g.now()
	if err != nil {
		return 0, err
	}
	return r.Count(ctx, q)
}

func (g *growing) Get(context.Context, string, string) ([]byte, string, error) {
	return nil, "", store.ErrNotFound
}

func TestQueryRulesAskTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures+"mode: query\n")
		defer s.bus.Close()
		g := &growing{}
		s.deps.Store = g
		stop := s.start()
		s.pass(15*time.Second, "n1")
		g.add(s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"), s.failed("n1", "192.0.2.1"))
		g.set(true) // the runs that fail are made good
		s.pass(60*time.Second, "n1")
		want(t, s.alerts())
		if n := s.metric("im_detector_query_runs_total"); n < 6 {
			t.Errorf("%v runs are counted", n)
		}
		g.set(false)
		stop()
		stop = s.start() // goes on from its progress
		s.pass(30*time.Second, "n1")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3", "failures resolved client.ip=192.0.2.1 0")
		stop()
	})
}

func TestBothEvaluatorsAreCompared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, failures+"mode: both\n")
		defer s.bus.Close()
		g := &growing{}
		s.deps.Store = g
		stop := s.start()
		defer stop()
		three := func(ip string) []*event.Event {
			return []*event.Event{s.failed("n1", ip), s.failed("n1", ip), s.failed("n1", ip)}
		}
		s.pass(15*time.Second, "n1")
		same := three("192.0.2.1")
		s.produce(same...)
		g.add(same...)
		s.pass(60*time.Second, "n1")
		want(t, s.alerts(), "failures firing client.ip=192.0.2.1 3", "failures resolved client.ip=192.0.2.1 0")
		if n := s.metric("im_detector_evaluator_differences_total"); n != 0 {
			t.Errorf("%v differences where there is none", n)
		}

		g.add(three("192.0.2.2")...) // the stream does not get these at all
		s.pass(60*time.Second, "n1")
		if n := s.metric("im_detector_evaluator_differences_total"); n != 2 {
			t.Errorf("%v differences, expected firing and resolved", n)
		}

		late := three("192.0.2.3") // and these too late
		sleep(5 * time.Second)
		s.shipped("n1", time.Now())
		synctest.Wait()
		s.produce(late...)
		g.add(late...)
		s.pass(60*time.Second, "n1")
		explained := 0
		for _, e := range s.logs.AllEntries() {
			if strings.Contains(e.Message, "late events explain it") {
				explained++
			}
		}
		if n := s.metric("im_detector_evaluator_differences_total"); n != 4 || explained != 2 {
			t.Errorf("%v differences, %d of them explained; expected 4 and 2", n, explained)
		}
		if len(s.alerts()) != 2 {
			t.Errorf("found %v: only the stream tells people", s.alerts())
		}
	})
}
