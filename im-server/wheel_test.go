package imserver

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dueThing is something on a wheel that knows when it is due.
type dueThing struct {
	place wheelEntry
	due   int64
	gone  bool
	then  func(now int64) int64
}

func (d *dueThing) visit(now int64) int64 { return d.then(now) }

// TestWheelVisitsInTime: whatever is added, removed and hurried, from outside and within a visit, and however the wheel
// is turned, each thing is visited once for each due time, not before it and not later than a tick or the turn after.
func TestWheelVisitsInTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tick := int64(rapid.IntRange(1, 50).Draw(t, "tick"))
		span := tick * int64(rapid.IntRange(1, 20).Draw(t, "span"))
		now := int64(rapid.IntRange(0, 1000).Draw(t, "start"))
		w := newWheel(time.Duration(tick), time.Duration(span), now)
		var things []*dueThing
		later := func(now int64) int64 { return now + rapid.Int64Range(-tick, 3*span).Draw(t, "in") }
		some := func() *dueThing { return things[rapid.IntRange(0, len(things)-1).Draw(t, "which")] }
		hurry := func(d *dueThing, due int64) {
			w.sooner(&d.place, due)
			if !d.gone {
				d.due = min(d.due, due)
			}
		}
		remove := func(d *dueThing) {
			w.remove(&d.place)
			d.gone = true
		}
		add := func() {
			d := &dueThing{due: later(now)}
			d.then = func(now int64) int64 {
				switch {
				case d.gone:
					t.Fatal("a thing that was removed is visited")
				case d.due > now:
					t.Fatalf("visited at %d, due at %d", now, d.due)
				}
				d.due = 1 << 60
				switch rapid.IntRange(0, 5).Draw(t, "while visited") {
				case 0:
					remove(d)
				case 1:
					hurry(d, later(now))
				case 2:
					remove(some())
				}
				due := later(now)
				d.due = min(d.due, due)
				return due
			}
			w.add(&d.place, d, d.due)
			things = append(things, d)
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 3 || len(things) == 0:
				add()
			case op == 3:
				remove(some())
			case op == 4:
				hurry(some(), later(now))
			default:
				now += rapid.Int64Range(0, 2*span).Draw(t, "pass")
				w.turn(now, func(owner timed, now int64) int64 { return owner.visit(now) })
				live := 0
				for _, d := range things {
					if d.gone {
						continue
					}
					live++
					// A visit of this turn may have made it due at once: that is the next tick's.
					if d.due+tick <= now-2*tick && d.due < (now/tick-1)*tick {
						t.Fatalf("at %d a thing due at %d was not visited", now, d.due)
					}
				}
				if w.len() != live {
					t.Fatalf("the wheel counts %d of %d", w.len(), live)
				}
			}
		}
	})
}

// TestWheelIsOnTime turns a wheel tick by tick, as it is run: nothing waits longer than one tick.
func TestWheelIsOnTime(t *testing.T) {
	t.Parallel()
	const tick = int64(100 * time.Millisecond)
	w := newWheel(time.Duration(tick), time.Minute, 0)
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	worst, visits := int64(0), 0
	for range 5000 {
		d := &dueThing{due: rng.Int64N(int64(time.Minute))}
		d.then = func(now int64) int64 {
			if now < d.due {
				t.Fatalf("visited %v before it is due", time.Duration(d.due-now))
			}
			worst = max(worst, now-d.due)
			visits++
			d.due = now + 1 + rng.Int64N(int64(2*time.Minute))
			return d.due
		}
		w.add(&d.place, d, d.due)
	}
	for now := int64(0); now < int64(10*time.Minute); now += tick {
		w.turn(now, func(owner timed, now int64) int64 { return owner.visit(now) })
	}
	if worst >= tick {
		t.Errorf("a visit was late by %v", time.Duration(worst))
	}
	if visits < 5000*9 {
		t.Errorf("%d visits", visits)
	}
}

// BenchmarkWheel is what 50,000 connections cost a node in an hour of heartbeats, and what an add and a remove cost
// beside them.
func BenchmarkWheel(b *testing.B) {
	const conns = 50_000
	h := defaultHeartbeat()
	p := h.pace()
	b.Run("turn", func(b *testing.B) {
		w := newWheel(h.tick(), h.span(), 0)
		for i := range conns {
			d := &dueThing{}
			d.then = func(now int64) int64 { return now + p.base }
			w.add(&d.place, d, p.base*int64(i)/conns)
		}
		now, visits := int64(0), 0
		visit := func(owner timed, now int64) int64 {
			visits++
			return owner.visit(now)
		}
		b.ReportAllocs()
		for b.Loop() {
			now += int64(w.tick)
			w.turn(now, visit)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(visits), "ns/visit")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(now)*100, "%core")
	})
	b.Run("add and remove", func(b *testing.B) {
		w := newWheel(h.tick(), h.span(), 0)
		for i := range conns {
			w.add(&new(dueThing).place, &dueThing{}, p.base*int64(i)/conns)
		}
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			d := &dueThing{}
			for pb.Next() {
				d.place = wheelEntry{}
				w.add(&d.place, d, p.base/3)
				w.sooner(&d.place, p.base/4)
				w.remove(&d.place)
			}
		})
	})
}
