package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/detector/shard"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

// The page shows the advice for each group that the process has, and above them the most that one of them wants.
func TestScalePage(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Indexer.Group = "mine"
	s := newSite(cfg, Streams{Out: io.Discard, Err: t.Output()})
	s.bus = membus.New()
	defer s.bus.Close()
	indexers, err := s.watchIndexers()
	if err != nil {
		t.Fatal(err)
	}
	detectors, err := s.watchDetectors()
	if err != nil {
		t.Fatal(err)
	}
	s.advised(actor{}, indexers)
	s.advised(actor{}, detectors...)
	if len(s.pages) != 1 || s.pages[0].pattern != "GET /-/scale" {
		t.Fatalf("pages: %+v", s.pages)
	}
	got := shownScale(t, s)
	if got.Wanted != 1 || got.Why == "" || got.Group != "mine" || len(got.Groups) != 2 || got.Groups[0].Group != "mine" || got.Groups[0].Topic != "im.lifecycle" || got.Groups[1].Why == "" {
		t.Errorf("%+v", got)
	}
}

type scaleShown struct {
	Wanted     int
	Why, Group string
	Groups     []struct {
		Group, Topic, Why string
		Wanted            int
		Lag               int64
	}
}

func shownScale(t *testing.T, s *site) (got scaleShown) {
	t.Helper()
	w := httptest.NewRecorder()
	s.pages[0].handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/-/scale", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return got
}

// TestDetectorsByBothTheyDo has detectors whose evaluators fall behind while routers keep up, and the other way about: the
// one that is behind decides, and both are shown.
func TestDetectorsByBothTheyDo(t *testing.T) {
	for _, behind := range []string{"evaluators", "routers"} {
		synctest.Test(t, func(t *testing.T) {
			const shards = 4
			cfg := DefaultConfig()
			cfg.Detector.Shards = shards
			s := newSite(cfg, Streams{Out: io.Discard, Err: t.Output()})
			b := membus.New()
			defer b.Close()
			s.bus = b
			for topic, n := range map[string]int{bus.TopicLifecycle: 6, shard.Topic(shards): shards} {
				if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: topic, Partitions: n}); err != nil {
					t.Fatal(err)
				}
			}
			watches, err := s.watchDetectors()
			if err != nil {
				t.Fatal(err)
			}
			ctx, end := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			run := s.advised(actor{"detector", func(ctx context.Context) error {
				if err := share(ctx, b, shards, behind); ctx.Err() == nil {
					return err
				}
				return nil // it may be told to end while it produces
			}}, watches...)
			go func() { ended <- run.run(ctx) }()
			<-time.After(5 * time.Minute)
			got := shownScale(t, s)
			decides, keeps := got.Groups[0], got.Groups[1]
			if behind == "evaluators" {
				decides, keeps = keeps, decides
			}
			if got.Wanted < 2 || got.Wanted != decides.Wanted || got.Group != decides.Group || got.Why != decides.Why || decides.Lag == 0 || keeps.Wanted != 1 || keeps.Lag > 2000 {
				t.Errorf("%s are behind: %+v", behind, got)
			}
			families, err := s.reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]float64{}
			for _, f := range families {
				if f.GetName() == "im_detector_wanted_instances" {
					for _, m := range f.GetMetric() {
						parts[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
					}
				}
			}
			if len(parts) != 2 || max(parts["router"], parts["evaluator"]) != float64(got.Wanted) {
				t.Errorf("the metric says %v", parts)
			}
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// share is a detector: 100 messages a second come to its router and to its shards, and of one of both it handles 60.
func share(ctx context.Context, b *membus.Bus, shards int, behind string) error {
	router, err := b.Consume(ctx, shard.RouterGroup(shards), bus.TopicLifecycle)
	if err != nil {
		return err
	}
	defer router.Close()
	claims, err := b.Claims(ctx, shard.Group(shards), shard.Topic(shards))
	if err != nil {
		return err
	}
	defer claims.Close()
	if _, err := claims.Next(ctx); err != nil {
		return err
	}
	route, evaluate := 100, 25
	if behind == "routers" {
		route = 60
	} else {
		evaluate = 15
	}
	at := bus.Position{}
	for ctx.Err() == nil {
		for i := range 100 {
			if err := b.Produce(ctx, bus.TopicLifecycle, bus.Message{Key: fmt.Append(nil, i), Value: []byte("v")}); err != nil {
				return err
			}
			if err := b.ProduceInto(ctx, shard.Topic(shards), bus.Message{Partition: i % shards, Value: []byte("v")}); err != nil {
				return err
			}
		}
		ms, err := router.Fetch(ctx, route)
		if err == nil {
			err = router.Commit(ctx, ms...)
		}
		for p := range shards {
			at[p] += int64(evaluate)
		}
		if err = errors.Join(err, claims.Commit(ctx, at)); err != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}
