package shard_test

import (
	"fmt"
	"testing"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/shard"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/rules"
)

func shipped(b *testing.B) []*rule.Rule {
	b.Helper()
	loaded, findings := rule.LoadFS(rules.Files())
	if rule.HasErrors(findings) {
		b.Fatal(findings)
	}
	return loaded
}

// traffic makes lines of a fleet: most are connects and their ends, one in twenty a refusal.
func traffic(n int) []bus.Message {
	ms := make([]bus.Message, n)
	for i := range ms {
		ev := &event.Event{}
		action := event.ActionConnect
		switch {
		case i%20 == 0:
			action = event.ActionHandshakeFailure
		case i%2 == 0:
			action = event.ActionDisconnect
		}
		ev.Begin(action, base.Add(time.Duration(i)*time.Millisecond))
		node := fmt.Sprintf("im-%02d", i%20)
		ev.SetText(event.FieldEventID, fmt.Sprintf("%s-a1b2c3d4-%010d", node, i))
		ev.SetText(event.FieldServiceNode, node)
		ev.SetText(event.FieldUserID, fmt.Sprintf("user-%05d", i*7919%50_000))
		ev.SetText(event.FieldClientIP, fmt.Sprintf("198.51.%d.%d", i*31%200, i*17%250))
		ev.SetText(event.FieldURLPath, "/ws/connect")
		ev.SetText(event.FieldConnID, fmt.Sprintf("c-%010d", i))
		ev.SetInt(event.FieldEventDuration, int64(i%400)*1_000_000)
		ms[i] = bus.Message{Value: ev.AppendJSON(nil), Offset: int64(i)}
	}
	return ms
}

const benchShards = 8

// benchBatch is how many events come between two watermarks of each node: a second of event time.
const benchBatch = 1000

// watermarks gives those of all nodes at an instant, as our own shippers send them.
func watermarks(at time.Time) []*event.Event {
	all := make([]*event.Event, 20)
	for i := range all {
		all[i] = &event.Event{}
		all[i].Begin(event.ActionWatermark, at)
		all[i].SetText(event.FieldServiceNode, fmt.Sprintf("im-%02d", i))
		all[i].SetTime(event.FieldPipelineShippedUntil, at)
	}
	return all
}

// flow makes b.N events come, in rounds of the same ones: begin is called before each round, not timed.
func flow(b *testing.B, begin func(), one func(i int, m *bus.Message, ev *event.Event), second func(i int, marks []*event.Event)) {
	b.Helper()
	ms := traffic(100_000)
	var ev event.Event
	begin()
	b.ResetTimer()
	for i := range b.N {
		n := i % len(ms)
		if n == 0 && i > 0 {
			b.StopTimer()
			begin()
			b.StartTimer()
		}
		if err := event.Decode(ms[n].Value, &ev); err != nil {
			b.Fatal(err)
		}
		one(i, &ms[n], &ev)
		if n%benchBatch == benchBatch-1 {
			second(i, watermarks(ev.Time()))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// router makes one for the shipped rules.
func router(b *testing.B) *shard.Router {
	b.Helper()
	r, err := engine.NewRoutes(shipped(b), benchShards)
	if err != nil {
		b.Fatal(err)
	}
	return shard.NewRouter(r, benchShards)
}

// BenchmarkRouter decodes and routes for the shipped rules.
func BenchmarkRouter(b *testing.B) {
	var r *shard.Router
	in, out, copies := 0, 0, 0
	flow(b, func() { r = router(b) },
		func(i int, m *bus.Message, ev *event.Event) {
			copies += r.Event(0, int64(i), m.Value, ev, base.UnixNano())
			in += len(m.Value)
		},
		func(i int, marks []*event.Event) {
			for _, w := range marks {
				r.Watermark(0, int64(i), w, base.UnixNano())
			}
			for _, f := range r.Take() {
				out += len(f.Value)
			}
		})
	b.ReportMetric(float64(copies)/float64(b.N), "copies/event")
	b.ReportMetric(float64(out)/float64(in), "bytes/byte")
}

// BenchmarkSharedWork routes, reads the frames of all shards and evaluates them: all that sharing costs but the broker.
func BenchmarkSharedWork(b *testing.B) {
	all := shipped(b)
	var r *shard.Router
	var engines []*engine.Engine
	flow(b,
		func() {
			r, engines = router(b), nil
			for i := range benchShards {
				e, err := engine.New(all, engine.Options{Shard: i, Shards: benchShards})
				if err != nil {
					b.Fatal(err)
				}
				engines = append(engines, e)
			}
		},
		func(i int, m *bus.Message, ev *event.Event) { r.Event(0, int64(i), m.Value, ev, base.UnixNano()) },
		func(i int, marks []*event.Event) {
			for _, w := range marks {
				r.Watermark(0, int64(i), w, base.UnixNano())
			}
			for _, f := range r.Take() {
				evaluate(b, engines[f.Partition], f.Value)
			}
		})
}

// BenchmarkAlone is what one detector does with the same lines, to compare with.
func BenchmarkAlone(b *testing.B) {
	all := shipped(b)
	var e *engine.Engine
	flow(b,
		func() {
			var err error
			if e, err = engine.New(all, engine.Options{}); err != nil {
				b.Fatal(err)
			}
		},
		func(_ int, _ *bus.Message, ev *event.Event) { e.Observe(0, ev, 0) },
		func(_ int, marks []*event.Event) {
			for _, w := range marks {
				e.Observe(0, w, 0)
			}
			e.Advance()
		})
}

func evaluate(b *testing.B, e *engine.Engine, frame []byte) {
	b.Helper()
	var ev event.Event
	f, err := shard.Open(string(frame))
	if err != nil {
		b.Fatal(err)
	}
	for r, ok := f.Next(); ok; r, ok = f.Next() {
		switch r.Kind {
		case shard.Event:
			if err := event.DecodeString(r.Line, &ev); err != nil {
				b.Fatal(err)
			}
			e.Observe(r.Partition, &ev, 0)
		case shard.Heard:
			e.Heard(r.Partition, r.Node, r.At, 0)
		case shard.Shipped:
			e.Shipped(r.Partition, r.Node, r.At, 0)
		default:
		}
	}
	e.Advance()
}

// BenchmarkRestore loads the state of a shard with 100,000 keys from its topic and makes the engine of it.
func BenchmarkRestore(b *testing.B) {
	loaded, findings := rule.Parse("test.yaml", []byte(`
id: by-user
title: by user
severity: warn
group_by: [user.id]
detect: {threshold: {count: "> 1000", window: 10m}}
`))
	if rule.HasErrors(findings) {
		b.Fatal(findings)
	}
	const keys = 100_000
	e, err := engine.New(loaded, engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var ev event.Event
	for i := range 2 * keys {
		ev.Reset()
		ev.Begin(event.ActionConnect, base.Add(time.Duration(i)*time.Millisecond))
		ev.SetText(event.FieldEventID, fmt.Sprintf("im-01-a1b2c3d4-%010d", i))
		ev.SetText(event.FieldServiceNode, "im-01")
		ev.SetText(event.FieldUserID, fmt.Sprintf("user-%06d", i%keys))
		e.Observe(0, &ev, 0)
	}
	e.Advance()
	bus := membus.New()
	defer bus.Close()
	if err := makeStates(b, bus); err != nil {
		b.Fatal(err)
	}
	state := e.Snapshot()
	if err := shard.NewChangelog(bus, "state", 0, "s").Save(b.Context(), 1, state); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(state)))
	b.ResetTimer()
	for range b.N {
		got, err := shard.NewChangelog(bus, "state", 0, "s").Load(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		restored, err := engine.Restore(loaded, engine.Options{}, got)
		if err != nil || restored.Keys()["by-user"] != keys {
			b.Fatal(err, restored.Keys())
		}
	}
	b.ReportMetric(float64(len(state))/keys, "bytes/key")
}

func makeStates(tb testing.TB, b *membus.Bus) error {
	tb.Helper()
	return b.EnsureTopics(tb.Context(), bus.TopicSpec{Name: "state", Partitions: 1, Compact: true})
}
