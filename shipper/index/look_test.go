package index

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"pgregory.net/rapid"

	"imwatch/internal/bus"
	"imwatch/shipper/index/status"
)

// looked is an indexer at work that is looked into.
type looked struct {
	*Indexer
	hook *test.Hook
	stop func()
}

func look(t *testing.T, cfg Config, deps Deps) *looked {
	t.Helper()
	log, hook := test.NewNullLogger()
	deps.Log, deps.Registerer = log, prometheus.NewPedanticRegistry()
	x, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if st := x.Status(); st.Healthy || !says(&st, "not running") {
		t.Errorf("before it runs: %+v", st)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if st := x.Status(); st.Healthy || !says(&st, "not running") {
			t.Errorf("after its end: %+v", st)
		}
	})
	t.Cleanup(stop)
	return &looked{x, hook, stop}
}

func says(st *status.Status, what string) bool {
	return strings.Contains(strings.Join(st.Trouble, "\n"), what)
}

// TestStatusWhileTheStoreIsAway holds lag, health and progress to what was produced and when.
func TestStatusWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newShelf(0)
		cfg := DefaultConfig()
		x := look(t, cfg, Deps{Bus: b, Store: s})
		for i := range 100 {
			produce(t, b, bus.TopicLifecycle, line(i, time.Now(), "info"))
		}
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		<-time.After(time.Second)
		st := x.Status()
		if !st.Healthy || st.Lag.Lines != 0 || st.Lag.Seconds != 0 || len(st.Partitions) != 4 || st.Outcomes[outcomeStored] != 100 || st.Store.Success == nil || st.Store.Error != "" ||
			st.Store.Window == nil || st.Store.Window.Most != int64(cfg.InFlight*cfg.BatchBytes) || st.Store.Batch == 0 || st.Lag.Bound != 30 || st.DeadLetter != nil || st.Searchable != nil {
			t.Errorf("with all stored: %+v", st)
		}
		s.setDown(true)
		for i := range 50 {
			produce(t, b, bus.TopicLifecycle, line(100+i, time.Now(), "info"))
		}
		gone := time.Now()
		for _, after := range []time.Duration{5 * time.Second, 20 * time.Second, 40 * time.Second, 10 * time.Minute} {
			<-time.After(after - time.Since(gone))
			st := x.Status()
			if st.Lag.Lines != 50 || math.Abs(st.Lag.Seconds-after.Seconds()) > 0.01 {
				t.Errorf("after %v: %d lines, %v s", after, st.Lag.Lines, st.Lag.Seconds)
			}
			for gauge, want := range map[prometheus.Collector]float64{x.metrics.lag: st.Lag.Seconds, x.metrics.lagLines: 50, x.metrics.lagBytes: float64(st.Lag.Bytes)} {
				if got := testutil.ToFloat64(gauge); math.Abs(got-want) > 0.01 {
					t.Errorf("after %v a metric says %v, not %v", after, got, want)
				}
			}
			size := len(line(0, time.Now(), "info"))
			if math.Abs(float64(st.Lag.Bytes)/float64(50*size)-1) > 0.02 {
				t.Errorf("%d bytes are taken to wait, %d do", st.Lag.Bytes, 50*size)
			}
			if bad := after > 10*time.Second; st.Healthy == bad || bad != says(&st, "elasticsearch has taken nothing for") || bad && !strings.Contains(st.Store.Error, "unavailable") {
				t.Errorf("after %v: %+v", after, st)
			}
			if bad := after > 30*time.Second; bad != st.Lag.Behind || bad != says(&st, "longer than indexer.lag_bound") || bad && st.Lag.ETA != nil {
				t.Errorf("after %v: %+v", after, st)
			}
		}
		if st := x.Status(); st.Store.InFlight == 0 || st.Store.Bytes == 0 || st.Store.Failing.Sub(gone) > time.Second || len(st.Partitions) == 0 {
			t.Errorf("%+v", st)
		}
		s.setDown(false)
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		<-time.After(2 * time.Second)
		if st := x.Status(); !st.Healthy || st.Lag.Lines != 0 || st.Lag.Seconds != 0 || st.Store.Failing != nil || st.Store.Error == "" {
			t.Errorf("with all stored again: %+v", st)
		}
		var told []string
		for _, e := range x.hook.AllEntries() {
			if strings.Contains(e.Message, "Kafka") {
				told = append(told, e.Message)
				if left := e.Data["left_lines"]; e.Message != "caught up with Kafka" && (left != int64(50) || e.Data["eta"] == "") {
					t.Errorf("%s: %v", e.Message, e.Data)
				}
			}
		}
		if n := len(told); n < 50 || n > 65 || told[0] != "behind Kafka" || told[1] != "catching up with Kafka" || told[n-1] != "caught up with Kafka" {
			t.Errorf("told %d times: %q", n, told[:min(n, 3)])
		}
	})
}

// TestStatusTellsOfDeadLetters: what is refused is information, and no trouble.
func TestStatusTellsOfDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBus(t), newShelf(0)
		cfg := DefaultConfig()
		x := look(t, cfg, Deps{Bus: b, Store: s})
		produce(t, b, bus.TopicLifecycle, "not json")
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		st := x.Status()
		if d := st.DeadLetter; d == nil || d.Reason != "json" || d.Topic != bus.TopicLifecycle || d.Offset != 0 || d.Detail == "" || st.Refused != nil || !st.Healthy {
			t.Errorf("%+v", st)
		}
		s.mu.Lock()
		s.refusing = "refuse-me"
		s.mu.Unlock()
		produce(t, b, bus.TopicLifecycle, strings.Replace(line(6, time.Now(), "info"), `"message":"`, `"message":"refuse-me `, 1))
		eventually(t, func() bool { return caughtUp(t, b, cfg.Group) })
		st = x.Status()
		if d := st.Refused; d == nil || d.Reason != "rejected" || !strings.Contains(d.Detail, "will not do") || st.DeadLetter.Reason != "rejected" || !st.Healthy || st.Outcomes[outcomeRefused] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// dim is a bus whose consumers tell what the test wants them to.
type dim struct {
	bus.Bus
	mu   sync.Mutex
	fail error
	mute bool // no partitions are given
	lags func([]bus.Lag) []bus.Lag
}

func (d *dim) Consume(ctx context.Context, group string, topics ...string) (bus.Consumer, error) {
	d.mu.Lock()
	err := d.fail
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c, err := d.Bus.Consume(ctx, group, topics...)
	return &dimConsumer{c, d}, err
}

type dimConsumer struct {
	bus.Consumer
	d *dim
}

func (c *dimConsumer) Lags() []bus.Lag {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if c.d.mute {
		return nil
	}
	l := c.Consumer.(bus.Lagger).Lags() //nolint:forcetypeassert // membus has it
	if c.d.lags != nil {
		l = c.d.lags(l)
	}
	return l
}

func (d *dim) set(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

// TestStatusWithoutAnAnswer walks through what brokers and groups may fail to tell.
func TestStatusWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &dim{Bus: newBus(t), fail: errors.New("no broker answers"), mute: true}
		x := look(t, DefaultConfig(), Deps{Bus: d, Store: newShelf(0)})
		lagIs := func(want time.Duration) {
			t.Helper()
			if got := testutil.ToFloat64(x.metrics.lag); math.Abs(got-want.Seconds()) > 1.5 {
				t.Errorf("the lag is %v s, not %v", got, want)
			}
		}
		trouble := func(want string) {
			t.Helper()
			if st := x.Status(); st.Healthy != (want == "") || want != "" && !says(&st, want) {
				t.Errorf("%q in place of %q", st.Trouble, want)
			}
		}
		<-time.After(5 * time.Second)
		trouble("the consumer group imwatch-indexer could not be joined for 5s")
		lagIs(5 * time.Second)
		d.set(func() { d.fail = nil })
		<-time.After(20 * time.Second) // until it is tried again, and then without partitions
		trouble("has given no partitions yet, for 25s")
		lagIs(25 * time.Second)
		d.set(func() { d.mute = false })
		<-time.After(2 * time.Second)
		trouble("")
		lagIs(0)
		d.set(func() { d.mute = true }) // a rebalance that does not end: what was there last ages
		<-time.After(25 * time.Second)
		trouble("") // within the bound
		lagIs(25 * time.Second)
		<-time.After(15 * time.Second)
		trouble("it is being rebalanced, or the brokers do not answer")
		lagIs(40 * time.Second)
		seen := time.Now()
		d.set(func() {
			d.mute = false
			d.lags = func(l []bus.Lag) []bus.Lag {
				for i := range l {
					l[i].Seen, l[i].Stored = seen, seen
				}
				return l
			}
		})
		<-time.After(5 * time.Second)
		trouble("")
		lagIs(0)
		<-time.After(40 * time.Second)
		trouble("where 4 of 4 partitions end has not been seen for 45s")
		lagIs(45 * time.Second)
		d.set(func() { d.lags = func([]bus.Lag) []bus.Lag { return []bus.Lag{} } }) // others have all
		<-time.After(time.Second)
		trouble("")
		lagIs(0)
		if st := x.Status(); len(st.Partitions) != 0 {
			t.Errorf("%+v", st.Partitions)
		}
	})
}

// TestBusThatCannotTell: what was read tells of the lag alone.
func TestBusThatCannotTell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(0)
		g := &guarded{Bus: newBus(t), shelf: s, served: map[place][]bus.Message{}}
		x := look(t, DefaultConfig(), Deps{Bus: g, Store: s})
		<-time.After(time.Minute)
		if st := x.Status(); !st.Healthy || st.Lag.Seconds != 0 {
			t.Errorf("%+v", st)
		}
		s.setDown(true)
		produce(t, g, bus.TopicLifecycle, line(1, time.Now(), "info"))
		<-time.After(time.Minute)
		if st := x.Status(); st.Healthy || math.Abs(st.Lag.Seconds-60) > 0.01 || !says(&st, "lag_bound") {
			t.Errorf("%+v", st)
		}
		s.setDown(false)
		<-time.After(time.Minute)
		if st := x.Status(); !st.Healthy || st.Lag.Seconds != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestLagIsTruthful draws what is produced, whether the store works and who joins: the lag is never less than the age of
// the oldest message that is not stored.
func TestLagIsTruthful(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 40).Draw(rt, "steps")
		waits := rapid.SliceOfN(rapid.IntRange(1, 20_000), len(steps), len(steps)).Draw(rt, "waits, ms")
		seed := rapid.Uint64().Draw(rt, "seed")
		var faults []string
		synctest.Test(t, func(t *testing.T) {
			b, s := newBus(t), newShelf(seed)
			cfg := DefaultConfig()
			cfg.BatchDocs, cfg.RetryMax = 7, time.Second
			log := logrus.New()
			log.SetOutput(t.Output())
			log.SetLevel(logrus.PanicLevel)
			x, err := New(cfg, Deps{Bus: b, Store: s, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- x.Run(ctx) }()
			var written []time.Time
			var keys []string
			for i, step := range steps {
				switch step {
				case 0, 1, 2:
					for range 1 + step*10 {
						l := line(len(written), time.Now(), "info")
						keys = append(keys, keyOf(bus.Message{Value: []byte(l)}))
						written = append(written, time.Now())
						produce(t, b, bus.TopicLifecycle, l)
					}
				case 3:
					s.setDown(true)
				case 4:
					s.setDown(false)
				}
				<-time.After(time.Duration(waits[i]) * time.Millisecond)
				synctest.Wait()
				docs, now := s.snapshot(), time.Now()
				oldest := slices.IndexFunc(keys, func(k string) bool { return docs[k] == "" })
				lag := testutil.ToFloat64(x.metrics.lag)
				switch {
				case oldest >= 0 && lag < now.Sub(written[oldest]).Seconds()-1e-6:
					faults = append(faults, "the lag is less than the age of a message that is not stored")
				case caughtUp(t, b, cfg.Group) && lag != 0:
					faults = append(faults, "there is a lag with all stored")
				}
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		if len(faults) > 0 {
			rt.Fatal(faults)
		}
	})
}
