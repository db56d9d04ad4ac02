package shard_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/shard"
	"imwatch/event"
)

func records(t interface{ Fatal(...any) }, frames ...[]byte) []shard.Record {
	var all []shard.Record
	for _, f := range frames {
		r, err := shard.Open(string(f))
		if err != nil {
			t.Fatal(err)
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			all = append(all, rec)
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	}
	return all
}

const byUser = `
id: by-user
title: by user
severity: warn
where: 'event.action: connect'
group_by: [user.id]
detect: {threshold: {count: "> 1", window: 10s}}
---
id: all
title: all
severity: warn
where: 'event.action: disconnect'
detect: {threshold: {count: "> 1", window: 10s}}
`

var base = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func routes(t interface{ Fatal(...any) }, n int) *engine.Routes {
	rules, findings := rule.Parse("test.yaml", []byte(byUser))
	if rule.HasErrors(findings) {
		t.Fatal(findings)
	}
	r, err := engine.NewRoutes(rules, n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestShardsKnowTheClocksBeforeTheyGetAnEvent holds the router to its order: behind whatever a shard has got so far, it
// knows of every node how far it had come in the source.
func TestShardsKnowTheClocksBeforeTheyGetAnEvent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const n = 3
		r := shard.NewRouter(routes(t, n), n)
		wall := base.UnixNano()
		type source struct {
			node    string
			at      int64
			shipped bool
		}
		var truth []source // by offset
		for offset := range rapid.IntRange(1, 60).Draw(t, "records") {
			wall += rapid.Int64Range(0, 2e9).Draw(t, "wall")
			node := rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node")
			at := base.Add(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "at")) * time.Millisecond)
			ev := &event.Event{}
			if rapid.IntRange(0, 5).Draw(t, "watermark") == 0 {
				ev.Begin(event.ActionWatermark, at)
				ev.SetText(event.FieldServiceNode, node)
				ev.SetTime(event.FieldPipelineShippedUntil, at)
				truth = append(truth, source{node, at.UnixNano(), true})
				if !r.Watermark(0, int64(offset), ev, wall) {
					t.Fatal("a good watermark was refused")
				}
				continue
			}
			ev.Begin(rapid.SampledFrom([]event.Action{event.ActionConnect, event.ActionDisconnect, event.ActionPanic}).Draw(t, "action"), at)
			ev.SetText(event.FieldServiceNode, node)
			ev.SetText(event.FieldUserID, rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}).Draw(t, "user"))
			truth = append(truth, source{node, at.UnixNano(), false})
			r.Event(0, int64(offset), fmt.Appendf(nil, "%s %d", node, at.UnixNano()), ev, wall)
			if rapid.IntRange(0, 5).Draw(t, "flush") == 0 {
				r.Flush(wall)
			}
		}
		r.Flush(wall)
		frames := make([][][]byte, n)
		for _, m := range r.Take() {
			frames[m.Partition] = append(frames[m.Partition], m.Value)
		}
		// clocks gives those of nodes without a watermark so far, after the first so many records.
		clocks := func(records int) map[string]int64 {
			c, shipped := map[string]int64{}, map[string]bool{}
			for _, s := range truth[:records] {
				if s.shipped {
					shipped[s.node] = true
				} else {
					c[s.node] = max(c[s.node], s.at)
				}
			}
			for node := range shipped {
				delete(c, node)
			}
			return c
		}
		for i := range n {
			known := map[string]int64{}
			check := func(records int, what string) {
				t.Helper()
				for node, at := range clocks(records) {
					if known[node] != at {
						t.Fatalf("shard %d %s: clock of %s is %d, expected %d", i, what, node, known[node], at)
					}
				}
			}
			for _, rec := range records(t, frames[i]...) {
				switch rec.Kind {
				case shard.Event, shard.Shipped:
					check(int(rec.Offset), fmt.Sprintf("before offset %d", rec.Offset))
					if s := truth[rec.Offset]; !s.shipped {
						known[s.node] = max(known[s.node], s.at)
					}
				case shard.Heard:
					known[rec.Node] = max(known[rec.Node], rec.At)
				}
			}
			check(len(truth), "at the end")
		}
	})
}

func TestFilterPassesOverRepeats(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// A shard gets every third record; routers begin again wherever they like before what they have written.
		var f shard.Filter
		next := map[int]int64{}
		for range rapid.IntRange(1, 30).Draw(t, "routers") {
			p := rapid.IntRange(0, 1).Draw(t, "partition")
			from := rapid.Int64Range(0, next[p]).Draw(t, "from")
			for o := from; o < from+rapid.Int64Range(0, 20).Draw(t, "count"); o++ {
				if o%3 == 0 {
					if fresh := f.New(shard.Record{Kind: shard.Event, Partition: p, Offset: o}); fresh != (o >= next[p]) {
						t.Fatalf("offset %d of %d, seen up to %d: new is %v", o, p, next[p], fresh)
					}
				}
				next[p] = max(next[p], o+1)
			}
		}
	})
}
