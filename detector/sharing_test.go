package detector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"imwatch/detector"
	"imwatch/detector/backtest"
	"imwatch/detector/shard"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/internal/store"
)

const sharedRules = failures + `
---
id: silent
title: A node is silent
severity: high
group_by: [service.node.name]
detect: {absence: {window: 7s, expect: [n1, n2, n3, never]}}
---
id: row
title: Failures in a row on a node
severity: high
where: 'event.action: handshake_failure'
group_by: [service.node.name]
detect: {consecutive: {count: 4, reset: 'event.action: connect', max_gap: 20s}}
---
id: all
title: Share of failures of all
severity: warn
detect: {ratio: {of: 'event.action: handshake_failure', is: "> 60%", window: 15s, min_total: 4}}
for: 2s
---
id: lost
title: Nobody comes back
severity: warn
where: 'user.id: *'
group_by: [user.id]
detect:
  sequence:
    within: 9s
    steps: [{where: 'event.action: handshake_failure'}, {where: 'event.action: connect', not: true}]
---
id: new
title: A new address of an account
severity: info
group_by: [user.id]
detect: {new_term: {field: client.ip, history: 30s, warmup: 5s}}
`

// mortal is a bus for a process that can be killed: what it writes after that never arrives.
type mortal struct {
	*membus.Bus
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Bus.Produce(ctx, topic, ms...)
}

func (m *mortal) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Bus.ProduceInto(ctx, topic, ms...)
}

// fleet is detectors that share the work of a site.
type fleet struct {
	*site
	shards int
	store  store.Reader
	alive  []*member
	late   float64
}

type member struct {
	bus    *mortal
	cancel context.CancelFunc
	done   chan error
	reg    *prometheus.Registry
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	const shards = 4
	f := &fleet{site: newSite(t, 3, sharedRules), shards: shards}
	for _, topic := range []string{shard.Topic(shards), shard.StateTopic(shards)} {
		if err := f.bus.EnsureTopics(t.Context(), bus.TopicSpec{Name: topic, Partitions: shards}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *fleet) join() {
	f.t.Helper()
	cfg := detector.DefaultConfig()
	cfg.Rules, cfg.Checkpoint, cfg.Shards = []string{f.path("rules")}, f.path(fmt.Sprint("unused", len(f.alive))), f.shards
	m := &member{bus: &mortal{Bus: f.bus}, done: make(chan error, 1), reg: prometheus.NewRegistry()}
	d, err := detector.New(cfg, detector.Deps{Bus: m.bus, Store: f.store, Log: f.log, Registerer: m.reg})
	if err != nil {
		f.t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() { m.done <- d.Run(ctx) }()
	f.alive = append(f.alive, m)
}

// leave ends a member, in order or by killing it.
func (f *fleet) leave(i int, killed bool) {
	f.t.Helper()
	m := f.alive[i]
	f.alive = slices.Delete(f.alive, i, i+1)
	m.bus.dead.Store(killed)
	m.cancel()
	if err := <-m.done; err != nil && !killed {
		f.t.Errorf("Run ended with %v", err)
	}
	families, err := m.reg.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "im_detector_late_events_total" {
			for _, sample := range family.GetMetric() {
				f.late += sample.GetCounter().GetValue()
			}
		}
	}
}

// happens makes an event of some node now.
func (f *fleet) happens(draw *rand.Rand) *event.Event {
	e := f.failed(fmt.Sprintf("n%d", 1+draw.IntN(3)), fmt.Sprintf("192.0.2.%d", draw.IntN(5)))
	if draw.IntN(3) == 0 {
		e.SetText(event.FieldEventAction, event.ActionConnect.Code)
	}
	if draw.IntN(4) > 0 {
		e.SetText(event.FieldUserID, fmt.Sprintf("u%d", draw.IntN(6)))
	}
	return e
}

// TestSharedWorkIsTheWorkOfOne has one, two or four detectors share the work, some of which die or leave and come back
// at any moment: together they say, byte for byte, what one engine says that reads it all.
func TestSharedWorkIsTheWorkOfOne(t *testing.T) {
	t.Parallel()
	runs := 4
	if n, err := strconv.Atoi(os.Getenv("IMWATCH_TEST_SHARED_RUNS")); err == nil {
		runs = n
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				draw := rand.New(rand.NewPCG(uint64(seed), 7)) //nolint:gosec // the same each time
				f := newFleet(t)
				defer f.bus.Close()
				most := []int{1, 2, 4}[seed%3]
				for range most {
					f.join()
				}
				f.play(draw, most)
				for len(f.alive) > 1 {
					f.leave(0, false)
				}
				f.pass(90*time.Second, "n1", "n2", "n3")
				f.compare(time.Now().Add(-20 * time.Second))
				f.leave(0, false)
				if f.late > 0 {
					t.Errorf("%v events were late", f.late)
				}
			})
		})
	}
}

// TestShardsTellHowFarTheyAre asks the group: whoever evaluates commits what it has read, and what nobody evaluates stays.
func TestShardsTellHowFarTheyAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.bus.Close()
		f.join()
		f.join()
		draw := rand.New(rand.NewPCG(1, 7)) //nolint:gosec // the same each time
		for range 50 {
			f.produce(f.happens(draw))
			f.pass(time.Second, "n1", "n2", "n3")
		}
		f.pass(3*time.Second, "n1", "n2", "n3")
		lag := func() (sum, all int64) {
			ends, err := f.bus.Ends(t.Context(), shard.Topic(f.shards))
			if err != nil {
				t.Fatal(err)
			}
			read, err := f.bus.Committed(t.Context(), shard.Group(f.shards), shard.Topic(f.shards))
			if err != nil {
				t.Fatal(err)
			}
			for p, end := range ends {
				if read[p] == 0 || read[p] > end {
					t.Errorf("shard %d is said to be read up to %d of %d", p, read[p], end)
				}
				sum, all = sum+end-read[p], all+end
			}
			return sum, all
		}
		if n, all := lag(); n > all/5 { // what came since the last second
			t.Errorf("%d of %d messages wait for shards that are evaluated", n, all)
		}
		f.leave(0, false)
		f.leave(0, false)
		before, _ := lag()
		for p := range f.shards {
			if err := f.bus.ProduceInto(t.Context(), shard.Topic(f.shards), bus.Message{Partition: p, Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := lag(); n != before+int64(f.shards) {
			t.Errorf("%d messages wait that nobody reads, not %d", n, before+int64(f.shards))
		}
	})
}

func (f *fleet) play(draw *rand.Rand, most int) {
	for range 70 {
		for range draw.IntN(6) {
			f.produce(f.happens(draw))
		}
		f.pass(time.Duration(draw.IntN(1500))*time.Millisecond, "n1", "n2", "n3")
		if draw.IntN(6) == 0 && len(f.alive) > 0 {
			f.leave(draw.IntN(len(f.alive)), draw.IntN(3) > 0)
		}
		if draw.IntN(3) == 0 && len(f.alive) < most {
			f.join()
		}
	}
	if len(f.alive) == 0 {
		f.join()
	}
}

// compare holds what was told before an instant to what one engine says.
func (f *fleet) compare(before time.Time) {
	f.t.Helper()
	var out strings.Builder
	options := backtest.Options{Rules: load(f.t, f.site), Out: &out, To: before}
	if _, err := backtest.Topic(f.t.Context(), f.bus, bus.TopicLifecycle, options); err != nil {
		f.t.Fatal(err)
	}
	var told []*event.Alert
	told = append(told, f.produced()...)
	var want, got []string
	for line := range strings.Lines(out.String()) {
		a := &event.Alert{}
		if err := a.UnmarshalJSON([]byte(line)); err != nil {
			f.t.Fatal(err)
		}
		want = append(want, f.lineOf(a, before)...)
	}
	for _, a := range told {
		got = append(got, f.lineOf(a, before)...)
	}
	slices.Sort(want)
	slices.Sort(got)
	want, got = slices.Compact(want), slices.Compact(got)
	if len(want) < 30 {
		f.t.Errorf("only %d state changes to compare", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("one engine (-) and those who shared (+) differ:\n%s", diff)
	}
}

// lineOf gives the line of an alert that is to be compared.
func (f *fleet) lineOf(a *event.Alert, before time.Time) []string {
	if !a.Time.Before(before) || strings.HasPrefix(a.RuleID, "imwatch-") {
		return nil
	}
	line, err := a.MarshalJSON()
	if err != nil {
		f.t.Fatal(err)
	}
	return []string{string(line)}
}
