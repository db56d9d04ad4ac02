package index

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
)

// Each message has its place: an index by its own day and class, the dead letters with the reason, or none.
func TestWhereItLands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newShelf(0)
		s.refusing = "refuse-me"
		now := time.Now().UTC()
		yesterday := now.Add(-24 * time.Hour)
		refused := strings.Replace(line(6, now, "info"), `"message":"`, `"message":"refuse-me `, 1)
		var w event.Event
		w.Begin(event.ActionWatermark, now)
		foreign := deadletter.Letter{At: yesterday, ID: "letter-1", Stage: "shipper", Reason: "json", Original: []byte("{")}
		produce(t, b, bus.TopicLifecycle,
			line(1, yesterday, "info"), line(2, now, "warn"), line(3, now, "fatal"), line(1, yesterday, "info"),
			line(4, now.Add(-40*24*time.Hour), "info"), line(4, now.Add(-40*24*time.Hour), "warn"), line(5, now.Add(25*time.Hour), "info"),
			"not json", refused, string(w.AppendJSON(nil)))
		produce(t, b, bus.TopicDeadLetter, string(foreign.AppendJSON(nil)), "nonsense")
		reg := prometheus.NewPedanticRegistry()
		x, err := New(DefaultConfig(), Deps{Bus: b, Store: s, Log: quiet(), Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- x.Run(ctx) }()
		eventually(t, func() bool { return caughtUp(t, b, "imwatch-indexer") })
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		day := func(at time.Time) string { return at.Format("2006.01.02") }
		got := map[string]string{}
		for key, body := range s.snapshot() {
			index, id, _ := strings.Cut(key, "/")
			var l struct{ Reason, Stage, Original, Topic string }
			if err := json.Unmarshal([]byte(body), &l); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if l.Topic != "" {
				id = l.Stage + " " + l.Topic
			}
			got[index+" "+id+" "+l.Reason] = l.Original
			if l.Reason == "" && !strings.Contains(body, `,"event.ingested":"`+event.FormatTime(now)[:16]) {
				t.Errorf("no event.ingested in %s", body)
			}
		}
		old := line(4, now.Add(-40*24*time.Hour), "info")
		want := map[string]string{
			"im-connection-info-" + day(yesterday) + " im-1-b-0000000001 ":                 "",
			"im-connection-warn-" + day(now) + " im-1-b-0000000002 ":                       "",
			"im-connection-error-" + day(now) + " im-1-b-0000000003 ":                      "",
			"im-connection-warn-" + day(now.Add(-40*24*time.Hour)) + " im-1-b-0000000004 ": "",
			"im-deadletter-" + day(now) + " indexer im.lifecycle expired":                  old,
			"im-deadletter-" + day(now) + " indexer im.lifecycle ahead":                    line(5, now.Add(25*time.Hour), "info"),
			"im-deadletter-" + day(now) + " indexer im.lifecycle json":                     "not json",
			"im-deadletter-" + day(yesterday) + " letter-1 json":                           "{",
			"im-deadletter-" + day(now) + " indexer im.deadletter letter":                  "nonsense",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		// The shelf refuses the dead letter of what it refused, too: that is counted, and holds nothing up.
		if n := testutil.ToFloat64(x.metrics.events.WithLabelValues(outcomeRefused)); n != 1 {
			t.Errorf("%v refused dead letters", n)
		}
		if n := testutil.ToFloat64(x.metrics.events.WithLabelValues(outcomeExisted)); n != 1 {
			t.Errorf("%v existed", n)
		}
		if n := testutil.ToFloat64(x.metrics.events.WithLabelValues(outcomeWatermark)); n != 1 {
			t.Errorf("%v watermarks", n)
		}
	})
}

// guarded is a bus that checks, at each commit, that the store has everything up to it.
type guarded struct {
	bus.Bus
	shelf *shelf

	mu     sync.Mutex
	ahead  []string
	served map[place][]bus.Message
}

func (g *guarded) Consume(ctx context.Context, group string, topics ...string) (bus.Consumer, error) {
	c, err := g.Bus.Consume(ctx, group, topics...)
	return &guardedConsumer{c, g}, err
}

type guardedConsumer struct {
	bus.Consumer
	g *guarded
}

func (c *guardedConsumer) Fetch(ctx context.Context, n int) ([]bus.Message, error) {
	ms, err := c.Consumer.Fetch(ctx, n)
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	for _, m := range ms {
		at := place{m.Topic, m.Partition}
		c.g.served[at] = append(c.g.served[at], m)
	}
	return ms, err
}

func (c *guardedConsumer) Commit(ctx context.Context, ms ...bus.Message) error {
	docs := c.g.shelf.snapshot()
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	for _, m := range ms {
		for _, s := range c.g.served[place{m.Topic, m.Partition}] {
			if s.Offset > m.Offset {
				continue
			}
			if key := keyOf(s); key != "" && docs[key] == "" {
				c.g.ahead = append(c.g.ahead, fmt.Sprintf("%s-%d-%d", s.Topic, s.Partition, s.Offset))
			}
		}
	}
	return c.Consumer.Commit(ctx, ms...)
}

// keyOf is where the document of a message belongs, "" for a watermark.
func keyOf(m bus.Message) string {
	var e event.Event
	if err := event.Decode(m.Value, &e); err != nil {
		return event.DeadLetterIndex(m.Time) + "/" + origin(m)
	}
	if e.IsWatermark() {
		return ""
	}
	return e.Index() + "/" + e.ID()
}

// However the store fails and whenever indexers are stopped, every event is one document, and no offset is committed
// before the store has what it stands for.
func TestEveryEventOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64Min(1).Draw(rt, "seed")
		kinds := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 200).Draw(rt, "messages")
		stops := rapid.SliceOfN(rapid.IntRange(1, 2000), 0, 3).Draw(rt, "stops, ms")
		cfg := DefaultConfig()
		cfg.BatchDocs = rapid.IntRange(1, 40).Draw(rt, "batch")
		cfg.BatchBytes = rapid.IntRange(1<<10, 1<<14).Draw(rt, "bytes")
		cfg.InFlight = rapid.IntRange(1, 3).Draw(rt, "in flight")
		cfg.ShutdownTimeout = time.Millisecond
		var ahead []string
		var missing, extra []string
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(seed)
			g := &guarded{Bus: newBus(t), shelf: s, served: map[place][]bus.Message{}}
			for i, kind := range kinds {
				value := line(i, time.Now(), "info")
				switch kind {
				case 0:
					value = "not json"
				case 1:
					value = line(max(0, i-1), time.Now(), "info")
				case 2:
					var w event.Event
					w.Begin(event.ActionWatermark, time.Now())
					value = string(w.AppendJSON(nil))
				}
				produce(t, g, bus.TopicLifecycle, value)
			}
			for _, ms := range stops {
				stop := start(t, cfg, g, s)
				<-time.After(time.Duration(ms) * time.Millisecond)
				stop()
			}
			stop := start(t, cfg, g, s)
			eventually(t, func() bool { return caughtUp(t, g, cfg.Group) })
			stop()
			want := map[string]bool{}
			for _, ms := range g.served {
				for _, m := range ms {
					if key := keyOf(m); key != "" {
						want[key] = true
					}
				}
			}
			got := s.snapshot()
			for key := range want {
				if got[key] == "" {
					missing = append(missing, key)
				}
			}
			for key := range got {
				if !want[key] {
					extra = append(extra, key)
				}
			}
			ahead = g.ahead
		})
		if len(ahead)+len(missing)+len(extra) > 0 {
			rt.Fatalf("committed too early: %v; missing: %v; extra: %v", ahead, missing, extra)
		}
	})
}

// While the store is away nothing is lost and little is read; when it is back all goes on by itself.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newShelf(0)
		s.setDown(true)
		cfg := DefaultConfig()
		cfg.BatchDocs = 10
		for i := range 100 {
			produce(t, b, bus.TopicLifecycle, line(i, time.Now(), "info"))
		}
		x, err := New(cfg, Deps{Bus: b, Store: s, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- x.Run(ctx) }()
		stop := func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		<-time.After(time.Hour)
		if lag := testutil.ToFloat64(x.metrics.lag); lag < 3600 || lag > 3610 {
			t.Errorf("a lag of %v s is shown after an hour", lag)
		}
		committed, err := b.Committed(t.Context(), cfg.Group, bus.TopicLifecycle)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.snapshot()); n != 0 || len(slices.Collect(maps.Keys(committed))) != 0 {
			t.Fatalf("%d documents, committed: %v", n, committed)
		}
		s.mu.Lock()
		if most := 2 * int(time.Hour/cfg.RetryMax) * cfg.InFlight * 2; s.calls > most {
			t.Errorf("the store was called %d times in an hour away", s.calls)
		}
		s.mu.Unlock()
		s.setDown(false)
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		produce(t, b, bus.TopicLifecycle, line(100, time.Now(), "info"))
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		if lag := testutil.ToFloat64(x.metrics.lag); lag > 10 {
			t.Errorf("a lag of %v s is shown when all is well", lag)
		}
		stop()
		if n := len(s.snapshot()); n != 101 {
			t.Errorf("%d documents", n)
		}
	})
}

// A stop puts away what was fetched.
func TestStopFlushes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newShelf(0)
		cfg := DefaultConfig()
		cfg.BatchDelay = time.Hour
		produce(t, b, bus.TopicLifecycle, line(1, time.Now(), "info"))
		stop := start(t, cfg, b, s)
		synctest.Wait()
		if n := len(s.snapshot()); n != 0 {
			t.Fatalf("%d documents before the delay", n)
		}
		stop()
		if n := len(s.snapshot()); n != 1 || !caughtUp(t, b, cfg.Group) {
			t.Errorf("%d documents", n)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Config{Sinks: []string{"parket", "parquet", "parquet"}}).Validate(); err == nil || !strings.Contains(err.Error(), "mean parquet?") || !strings.Contains(err.Error(), "sinks[2]: parquet is named twice") {
		t.Errorf("sinks: %v", err)
	}
	if a, b := DefaultConfig().For(SinkElasticsearch), DefaultConfig().For(SinkParquet); a.Group != DefaultConfig().Group || b.Group == a.Group {
		t.Errorf("groups %q and %q", a.Group, b.Group)
	}
	err := Config{}.Validate()
	for _, key := range []string{"sinks", "group", "batch_docs", "batch_bytes", "batch_delay", "in_flight", "latency_target", "retry_min", "retry_max", "shutdown_timeout"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
}
