package window_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/window"
)

type counted struct {
	key    string
	at     int64
	weight float64
}

func inside(events []counted, key string, from, to int64) float64 {
	n := 0.0
	for _, e := range events {
		if e.key == key && e.at > from && e.at <= to {
			n += max(0, e.weight)
		}
	}
	return n
}

// TestSketchNeverCountsTooFew crowds keys into few columns, takes some out and puts them back, and restarts.
func TestSketchNeverCountsTooFew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.SampledFrom([]int64{1, 7, 60 * sec}).Draw(t, "length")
		s := window.NewSketch(length, 0)
		var events []counted
		at := rapid.Int64Range(-100, 100).Draw(t, "start") * length
		for range rapid.IntRange(1, 300).Draw(t, "events") {
			at += rapid.Int64Range(0, length/3+1).Draw(t, "step")
			e := counted{fmt.Sprint(rapid.IntRange(0, 3000).Draw(t, "key")), at, rapid.SampledFrom([]float64{1, 1, 0.3, 40, -1, 0}).Draw(t, "weight")}
			events = append(events, e)
			if s.Add(e.key, at, e.weight); rapid.IntRange(0, 30).Draw(t, "restart") == 0 {
				var enc window.Encoder
				s.Encode(&enc)
				d := window.NewDecoder(enc.Bytes())
				if s = window.DecodeSketch(d, length); d.Err() != nil || d.Rest() > 0 {
					t.Fatalf("reading back: %v", d.Err())
				}
			}
			for _, key := range []string{e.key, events[0].key} {
				want := inside(events, key, at-length, at)
				if got := s.Count(key); got < want {
					t.Fatalf("counts %v of %v", got, want)
				}
				supposed := 0.0
				s.Each(key, at, func(when int64, weight float64) {
					if supposed += weight; when > at {
						t.Fatalf("supposes an event to come")
					}
				})
				if supposed < want {
					t.Fatalf("supposes %v of %v", supposed, want)
				}
			}
		}
		at += rapid.Int64Range(2*length+10, 9*length+10).Draw(t, "pause")
		if s.Move(at); !s.Empty() || s.Count(events[0].key) != 0 {
			t.Fatalf("still counts after the window")
		}
	})
}

func TestSketchTakesBackWhatHadStateOfItsOwn(t *testing.T) {
	t.Parallel()
	s := window.NewSketch(60*sec, 0)
	s.Add("a", 5*sec, 2)
	own := func(f func(int64, float64)) {
		f(5*sec, 2) // what the sketch itself had said
		f(6*sec, 1)
		f(30*sec, 4)
	}
	s.Move(30 * sec)
	for range 5 { // going to and fro does not add up
		if s.Raise("a", own); s.Count("a") != 7 {
			t.Fatalf("counts %v of 7", s.Count("a"))
		}
	}
}

// TestSketchTellsFewFromMany sprays keys of one event each: nearly all are counted exactly.
func TestSketchTellsFewFromMany(t *testing.T) {
	t.Parallel()
	s := window.NewSketch(60*sec, 100_000)
	const n = 200_000
	for i := range n {
		s.Add(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), int64(i)*59*sec/n, 1)
	}
	over := 0
	for i := range n {
		if s.Count(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)) >= 3 {
			over++
		}
	}
	if over > n/1000 {
		t.Errorf("%d of %d keys are over-counted by two or more", over, n)
	}
}

func BenchmarkSketch(b *testing.B) {
	s := window.NewSketch(60*sec, 200_000)
	keys := make([]string, 1<<18)
	for i := range keys {
		keys[i] = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		key := keys[n&(1<<18-1)]
		s.Count(key)
		s.Add(key, int64(n)*50_000, 1)
		n++
	}
}
