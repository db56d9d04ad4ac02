package window_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/detector/window"
)

const sec = int64(1e9)

// script drives a watermark of lateness 2 s and idle 30 s through lines: "node partition second" for an event,
// "ship node partition second" for a watermark, "tick second [behind…]" for wall time. Wall time stands still between.
func script(t *testing.T, w *window.Watermark, lines ...string) {
	t.Helper()
	wall := int64(0)
	for _, l := range lines {
		var node string
		var p int
		var at float64
		switch f := strings.Fields(l); f[0] {
		case "tick":
			if _, err := fmt.Sscanf(f[1], "%g", &at); err != nil {
				t.Fatal(err)
			}
			wall = int64(at * 1e9)
			w.Tick(wall, func(p int) bool { return slices.Contains(f[2:], fmt.Sprint(p)) })
		case "ship":
			if _, err := fmt.Sscanf(l, "ship %s %d %g", &node, &p, &at); err != nil {
				t.Fatal(err)
			}
			w.Shipped(p, node, int64(at*1e9), wall)
		default:
			if _, err := fmt.Sscanf(l, "%s %d %g", &node, &p, &at); err != nil {
				t.Fatal(err)
			}
			w.Event(p, node, int64(at*1e9), wall)
		}
	}
}

func TestWatermark(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		lines []string
		want  int64 // second
		out   []string
	}{
		"the least clock of the nodes, less lateness":    {[]string{"a 0 10", "b 0 20"}, 8, nil},
		"without watermarks the greatest event time":     {[]string{"a 0 10", "a 0 5"}, 8, nil},
		"with them only what was shipped":                {[]string{"ship a 0 10", "a 0 50"}, 8, nil},
		"the first watermark takes over from event time": {[]string{"a 0 50", "ship a 0 20", "ship a 0 60"}, 58, nil},
		"it never falls":                                        {[]string{"a 0 50", "ship a 0 20", "b 0 1"}, 48, nil},
		"the least of the partitions":                           {[]string{"b 1 20", "a 0 50"}, 18, nil},
		"of two nodes the lower is the median: it holds":        {[]string{"a 0 0", "b 0 100"}, -2, nil},
		"more than idle behind the median is left out":          {[]string{"a 0 0", "b 0 31", "c 0 31"}, 29, []string{"a out"}},
		"exactly idle behind counts":                            {[]string{"a 0 0", "b 0 30", "c 0 30"}, -2, nil},
		"one that has caught up counts again":                   {[]string{"a 0 0", "b 0 40", "c 0 40", "a 0 39", "b 0 50", "c 0 50"}, 38, []string{"a out", "a in"}},
		"one clock far ahead moves nobody":                      {[]string{"a 0 10", "b 0 11", "c 0 99999"}, 8, nil},
		"not heard of for idle of wall time is left out":        {[]string{"tick 100", "a 0 100", "b 0 100", "tick 120", "b 0 120", "tick 130"}, 118, []string{"a silent"}},
		"a little less than that is not":                        {[]string{"tick 100", "a 0 100", "b 0 100", "tick 120", "b 0 120", "tick 129.9"}, 98, nil},
		"one heard of again counts":                             {[]string{"tick 100", "a 0 100", "b 0 100", "tick 120", "b 0 120", "tick 130", "a 0 119", "b 0 140"}, 118, []string{"a silent", "a in"}},
		"when every node is still it follows the wall clock":    {[]string{"tick 100", "a 0 90", "b 1 95", "tick 131"}, 129, []string{"a silent", "b silent"}},
		"but not before anybody was heard of":                   {[]string{"tick 100", "tick 500"}, -1, nil},
		"a partition read behind holds, and nobody is silent":   {[]string{"tick 100", "a 0 90", "b 1 95", "tick 131 0"}, 88, []string{"b silent"}},
		"a still partition does not hold the others":            {[]string{"tick 100", "a 0 90", "b 1 95", "tick 120", "b 1 120", "tick 131"}, 118, []string{"a silent"}},
		"one that is silent stays so while messages are unread": {[]string{"tick 100", "a 0 100", "b 0 100", "tick 120", "b 0 120", "tick 130", "tick 131 0"}, 118, []string{"a silent"}},
		"unread messages hold where every node is silent":       {[]string{"tick 100", "a 0 90", "b 1 95", "tick 120", "b 1 120", "tick 131", "tick 132 0", "b 1 132"}, 118, []string{"a silent"}},
		"and no longer": {[]string{"tick 100", "a 0 90", "b 1 95", "tick 120", "b 1 120", "tick 131", "tick 132 0", "b 1 132", "tick 133"}, 130, []string{"a silent"}},
		"the time in which a partition was behind is no silence": {[]string{"tick 100", "a 0 90", "tick 200 0", "tick 229"}, 88, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := window.NewWatermark(2*sec, 30*sec)
			script(t, w, c.lines...)
			want := c.want * sec
			if c.want == -1 {
				want = window.None
			}
			if w.Now() != want {
				t.Errorf("the watermark is %d, expected %d s", w.Now(), c.want)
			}
			var out []string
			for _, ch := range w.Changes() {
				word := "in"
				if ch.Silent {
					word = "silent"
				} else if ch.Out {
					word = "out"
				}
				out = append(out, ch.Node+" "+word)
			}
			if diff := cmp.Diff(c.out, out); diff != "" {
				t.Errorf("changes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPartitionsThatAreHeld(t *testing.T) {
	t.Parallel()
	w := window.NewWatermark(0, 30*sec)
	w.Hold(0)
	w.Hold(1)
	w.Event(0, "a", 100*sec, 0)
	if w.Now() != window.None {
		t.Errorf("the watermark is %d before partition 1 was heard of", w.Now())
	}
	if w.Late(1, 50*sec) {
		t.Error("an event of a partition that is held is late")
	}
	w.Event(1, "b", 50*sec, 0)
	if w.Now() != 50*sec {
		t.Errorf("the watermark is %d, expected 50 s", w.Now())
	}
	w.Release(1)
	if w.Now() != 100*sec {
		t.Errorf("the watermark is %d after partition 1 has ended, expected 100 s", w.Now())
	}
	if !w.Late(0, 99*sec) || w.Late(0, 100*sec) {
		t.Error("late is what lies before the watermark, and nothing else")
	}
}

func TestAPartitionThatStaysEmptyIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	w := window.NewWatermark(0, 30*sec)
	w.Hold(0)
	w.Hold(1)
	empty := func(int) bool { return false }
	w.Tick(100*sec, empty)
	w.Event(0, "a", 100*sec, 100*sec)
	if w.Tick(129*sec, empty); w.Now() != window.None {
		t.Errorf("the watermark is %d although partition 1 was found empty for 29 s only", w.Now())
	}
	w.Event(0, "a", 129*sec, 129*sec)
	if w.Tick(130*sec, empty); w.Now() != 129*sec {
		t.Errorf("the watermark is %d, expected 129 s after 30 s without anything in partition 1", w.Now())
	}
}

func TestNodesThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	w := window.NewWatermark(0, 30*sec)
	for i := range int64(3) {
		w.Event(0, fmt.Sprint("pod", i), i, 0)
	}
	hour := 3600 * sec
	w.Tick(hour+sec, func(int) bool { return false })
	w.Changes()
	w.Event(0, "new", 2*hour, 2*hour)
	w.Tick(2*hour, func(int) bool { return false })
	var e window.Encoder
	w.Encode(&e)
	if strings.Contains(string(e.Bytes()), "pod") {
		t.Error("the state still knows nodes that were silent for more than an hour")
	}
}

// TestWatermarkIsCodedWhole restores at any moment and goes on as if nothing had been.
func TestWatermarkIsCodedWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := window.NewWatermark(sec, 5*sec), window.NewWatermark(sec, 5*sec)
		wall := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p, node := rapid.IntRange(0, 2).Draw(t, "partition"), rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "node")
			at := rapid.Int64Range(0, 40).Draw(t, "at") * sec
			kind := rapid.IntRange(0, 5).Draw(t, "kind")
			wall += rapid.Int64Range(0, 3).Draw(t, "wall") * sec
			for _, w := range []*window.Watermark{a, b} {
				switch kind {
				case 0:
					w.Shipped(p, node, at, wall)
				case 1:
					w.Tick(wall, func(q int) bool { return q == p })
				case 2:
					w.Hold(p)
				default:
					w.Event(p, node, at, wall)
				}
			}
			if diff := cmp.Diff(a.Changes(), b.Changes()); diff != "" {
				t.Fatalf("changes differ:\n%s", diff)
			}
			if a.Now() != b.Now() {
				t.Fatalf("%d and %d", a.Now(), b.Now())
			}
			var e window.Encoder
			b.Encode(&e)
			b = window.NewWatermark(sec, 5*sec)
			d := window.NewDecoder(e.Bytes())
			if b.Decode(d); d.Err() != nil || d.Rest() > 0 {
				t.Fatalf("reading back: %v, %d bytes left", d.Err(), d.Rest())
			}
		}
	})
}

func TestBufferSorts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type thing struct {
			at int64
			id string
		}
		var b window.Buffer[thing]
		var ws window.Witnesses
		var model []thing
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "pop") == 0 {
				if at := b.Next(); at != model[0].at {
					t.Fatalf("next at %d, expected %d", at, model[0].at)
				}
				if got := b.Pop(); got != model[0] {
					t.Fatalf("popped %v, expected %v", got, model[0])
				}
				model = model[1:]
				continue
			}
			x := thing{rapid.Int64Range(0, 20).Draw(t, "at"), fmt.Sprintf("%03d", len(model)*7%100)}
			b.Push(ws.Of(x.at, x.id), x)
			i, _ := slices.BinarySearchFunc(model, x, func(a, b thing) int {
				if a.at != b.at {
					return int(a.at - b.at)
				}
				return strings.Compare(a.id, b.id)
			})
			for i < len(model) && model[i] == x {
				i++
			}
			model = slices.Insert(model, i, x)
			n := 0
			if b.Each(func(thing) { n++ }); n != len(model) || b.Len() != n {
				t.Fatalf("%d of %d things are shown, length %d", n, len(model), b.Len())
			}
		}
	})
}
