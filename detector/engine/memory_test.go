package engine_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// spread gives the engine one event of each of n addresses, 20,000 a second, as ten nodes log them.
func spread(tb testing.TB, e *engine.Engine, n int) {
	tb.Helper()
	var line []byte
	var ev event.Event
	for i := range n {
		at := base.Add(time.Duration(i) * 50 * time.Microsecond)
		line = fmt.Appendf(line[:0], `{"@timestamp":%q,"event":{"id":"im-%d-18f2a6c3-%010d","action":"connect"},"client":{"ip":"10.%d.%d.%d"},"service":{"node":{"name":"im-%d"}}}`,
			at.Format("2006-01-02T15:04:05.000000Z"), i%10, i/10, i>>16, i>>8&255, i&255, i%10)
		if err := event.Decode(line, &ev); err != nil {
			tb.Fatal(err)
		}
		e.Observe(0, &ev, 0)
		if i%1000 == 0 {
			e.Advance()
		}
	}
	e.Finish(e.Greatest())
}

// liveHeap gives the bytes in use after a collection.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one freed from pools and finalizers
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const longThreshold = `
id: r0
title: a rule
severity: warn
group_by: [client.ip]
detect: {threshold: {count: "> 20", window: 10m}}
limits: {keys: 1000000}
`

// bytesPerKey measures all that an engine holds for n idle keys of a threshold rule: state, evidence, and the ids of
// their events.
func bytesPerKey(tb testing.TB, n int) float64 {
	tb.Helper()
	rules, findings := rule.Parse("test.yaml", []byte(longThreshold))
	if rule.HasErrors(findings) {
		tb.Fatal(findings)
	}
	before := liveHeap()
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	spread(tb, e, n)
	after := liveHeap()
	if keys := e.Keys()["r0"]; keys != n {
		tb.Fatalf("state for %d of %d keys", keys, n)
	}
	runtime.KeepAlive(e)
	return float64(after-before) / float64(n)
}

func TestAnIdleKeyTakesAtMost200Bytes(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	each := bytesPerKey(t, 200_000)
	t.Logf("%.1f bytes a key", each)
	if each > 200+raceBytes {
		t.Errorf("%.0f bytes for an idle key, at most 200 are allowed", each)
	}
}

// BenchmarkMillionKeys is the memory of a million idle keys, all included.
func BenchmarkMillionKeys(b *testing.B) {
	for b.Loop() {
		each := bytesPerKey(b, 1_000_000)
		b.ReportMetric(each, "B/key")
		b.ReportMetric(each, "MB") // a million of them
	}
}

// BenchmarkRestore is a snapshot of a million keys, and going on from it.
func BenchmarkRestore(b *testing.B) {
	rules, _ := rule.Parse("test.yaml", []byte(longThreshold))
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	spread(b, e, 1_000_000)
	var state []byte
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			state = e.Snapshot()
		}
		b.ReportMetric(float64(len(state))/1e6, "MB")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if _, err := engine.Restore(rules, engine.Options{}, state); err != nil {
				b.Fatal(err)
			}
		}
	})
}
