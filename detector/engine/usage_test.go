package engine_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/engine"
	"imwatch/detector/window"
	"imwatch/event"
)

func TestUsageIsCountedByRule(t *testing.T) {
	t.Parallel()
	rules := parse(t, `
id: few
title: few keys
severity: warn
where: 'event.action: connect'
group_by: [client.ip]
detect: {threshold: {count: '> 3', window: 10s}}
limits: {keys: 2}
---
id: none
title: nothing comes
severity: warn
where: 'event.action: panic'
detect: {threshold: {count: '> 1', window: 10s}}
`)
	clock := int64(0)
	e, err := engine.New(rules, engine.Options{Stopwatch: func() int64 { clock += 100; return clock }})
	if err != nil {
		t.Fatal(err)
	}
	if c := e.Clocks(); c.Slowest != window.None || c.Event != window.None {
		t.Errorf("before the first event the clocks are %+v", c)
	}
	observe := func(n int, after time.Duration, ip string) {
		t.Helper()
		ev := newEvent(benchActions()[0], base.Add(after))
		ev.SetText(event.FieldEventID, fmt.Sprintf("e-%d", n))
		ev.SetText(event.FieldClientIP, ip)
		e.Observe(0, ev, 0)
	}
	for i := range 130 {
		observe(i, time.Duration(i)*time.Millisecond, fmt.Sprintf("192.0.2.%d", i%2))
	}
	observe(200, 131*time.Millisecond, "192.0.2.9") // shares a sketch
	observe(199, 3*time.Second, "192.0.2.0")
	e.Advance()
	if u := e.Usage()["few"]; u.Keys != 2 || u.StateBytes < 2*200 {
		t.Errorf("%d keys with %d bytes", u.Keys, u.StateBytes)
	}
	observe(201, 30*time.Second, "192.0.2.0")
	e.Advance()
	observe(202, time.Second, "192.0.2.0") // late
	e.Advance()
	got := e.Usage()
	few, none := got["few"], got["none"]
	if few.PerEvent() != 100 {
		t.Errorf("%d ns an event", few.PerEvent())
	}
	few.StateBytes = 0
	// The last event is not evaluated yet. Each that entered was a look, and what left later was too.
	want := engine.Usage{Keys: few.Keys, Events: 133, Looks: few.Looks, Late: 1, Overflow: 1, LastEvent: base.Add(30 * time.Second).UnixNano(), Timed: 2, TimedFor: 200}
	if diff := cmp.Diff(want, few); diff != "" || few.Looks < 130 {
		t.Errorf("usage of few (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(engine.Usage{LastEvent: window.None}, none); diff != "" {
		t.Errorf("usage of none (-want +got):\n%s", diff)
	}
	if c := e.Clocks(); c.Slowest != base.Add(30*time.Second).UnixNano() || c.Event != base.Add(28*time.Second).UnixNano() {
		t.Errorf("the clocks are %v and %v", time.Unix(0, c.Slowest).UTC(), time.Unix(0, c.Event).UTC())
	}
}

// The estimate of a rule's memory lies near what the process takes for it.
func TestStateBytesAreHonest(t *testing.T) {
	rules := parse(t, "id: a\ntitle: a rule\nseverity: warn\ngroup_by: [client.ip]\ndetect: {threshold: {count: '> 100', window: 1h}}\n")
	const keys = 50_000
	before := heap()
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		ev := newEvent(benchActions()[0], base.Add(time.Duration(i)*100*time.Microsecond))
		ev.SetText(event.FieldEventID, fmt.Sprintf("im-1-0-%010d", i))
		ev.SetText(event.FieldClientIP, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		e.Observe(0, ev, 0)
		if i%1000 == 0 {
			e.Advance()
		}
	}
	e.Finish(base.Add(6 * time.Second).UnixNano())
	u := e.Usage()["a"]
	took := heap() - before
	runtime.KeepAlive(e)
	if u.Keys != keys || u.StateBytes < took/3 || u.StateBytes > 2*took {
		t.Errorf("%d keys, estimated %d bytes, the process took %d", u.Keys, u.StateBytes, took)
	}
	t.Logf("%d bytes a key estimated, %d taken", u.StateBytes/keys, took/keys)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
