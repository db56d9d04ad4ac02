package window_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"imwatch/detector/window"
)

func TestSeenRemembersForTheSpan(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "im-1-0-0000000001", "", "-0000000001", "x-000000000a"} {
		s := window.NewSeen(60 * sec)
		if !s.Add(1000*sec, id) || s.Add(1030*sec, id) {
			t.Fatalf("%q: the first is new and the second is not", id)
		}
		s.Forget(1060 * sec)
		if s.Add(1060*sec, id) {
			t.Errorf("%q: forgotten within the span", id)
		}
		back := again(t, s, 60*sec)
		if back.Add(1060*sec, id) {
			t.Errorf("%q: not remembered after reading back", id)
		}
		back.Forget(1100 * sec)
		if back.Len() != 0 || !back.Add(2000*sec, id) {
			t.Errorf("%q: remembered for ever", id)
		}
	}
}

func again(t interface{ Fatalf(string, ...any) }, s *window.Seen, keep int64) *window.Seen {
	var e window.Encoder
	s.Encode(&e)
	back, d := window.NewSeen(keep), window.NewDecoder(e.Bytes())
	if back.Decode(d); d.Err() != nil || d.Rest() > 0 {
		t.Fatalf("reading back: %v, %d bytes are left", d.Err(), d.Rest())
	}
	return back
}

// TestSeenIsASet holds it to a map, with ids of every form, also when there are too many prefixes.
func TestSeenIsASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, model := window.NewSeen(1000*sec), map[string]bool{}
		prefixes := rapid.SampledFrom([]int{1, 3, 10_000}).Draw(t, "prefixes")
		for range rapid.IntRange(1, 400).Draw(t, "ids") {
			form := rapid.SampledFrom([]string{"n%d-b-%010d", "n%d-b-%d", "%d/%d"}).Draw(t, "form")
			id := fmt.Sprintf(form, rapid.IntRange(1, prefixes).Draw(t, "prefix"), rapid.IntRange(0, 600).Draw(t, "number"))
			if isNew := s.Add(rapid.Int64Range(0, 900).Draw(t, "at")*sec, id); isNew == model[id] {
				t.Fatalf("%s: new is %v", id, isNew)
			}
			model[id] = true
			if rapid.IntRange(0, 50).Draw(t, "restart") == 0 {
				s = again(t, s, 1000*sec)
			}
			s.Forget(rapid.Int64Range(0, 1000).Draw(t, "now") * sec) // nothing is as old as that
		}
		if s.Len() != len(model) {
			t.Fatalf("remembers %d of %d", s.Len(), len(model))
		}
		s.Forget(3000 * sec)
		if s.Len() != 0 {
			t.Fatalf("still remembers %d", s.Len())
		}
	})
}

func TestSeenHasRoomForMorePrefixesThanItCanHold(t *testing.T) {
	t.Parallel()
	s := window.NewSeen(1000 * sec)
	for i := range 10_000 {
		if id := fmt.Sprintf("node-%d-0000000007", i); !s.Add(sec, id) || s.Add(sec, id) {
			t.Fatalf("%s: not told apart", id)
		}
	}
	s.Forget(5000 * sec)
	for i := range 10_000 { // now others have the room
		if id := fmt.Sprintf("node-%d-0000000007", 10_000-i); !s.Add(5000*sec, id) || s.Add(5000*sec, id) {
			t.Fatalf("%s: not told apart later", id)
		}
	}
}

func TestNoTwoIDsAreTakenForOne(t *testing.T) {
	t.Parallel()
	s := window.NewSeen(60 * sec)
	for i := range 300_000 {
		if !s.Add(sec, fmt.Sprintf("%x:%d", i%7, i)) {
			t.Fatalf("number %d is taken for another", i)
		}
	}
}

func BenchmarkSeen(b *testing.B) {
	for _, form := range []string{"im-%d-18f2a-%010d", "im-%d-18f2a-%d"} {
		b.Run(form, func(b *testing.B) {
			s := window.NewSeen(60 * sec)
			ids := make([]string, 1_000_000)
			for i := range ids {
				ids[i] = fmt.Sprintf(form, i%10, i)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				s.Add(int64(n)*50_000, ids[n%len(ids)]) // 20,000 a second
				if n++; n%1000 == 0 {
					s.Forget(int64(n) * 50_000)
				}
			}
		})
	}
}
