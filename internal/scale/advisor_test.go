package scale

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/internal/bus"
)

var began = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)

// group is a consumer group as numbers: what arrives, what a member handles, and what all of them may handle at most.
type group struct {
	at         time.Time
	arriving   float64   // messages a second, over all partitions alike
	each       float64   // that a member handles
	limit      float64   // that all of them handle together; 0: no limit
	only       int       // what arrives goes into so many partitions only; 0: all
	ends, done []float64 // by partition
	members    int
}

func newGroup(partitions, members int, arriving, each float64) *group {
	return &group{at: began, arriving: arriving, each: each, ends: make([]float64, partitions), done: make([]float64, partitions), members: members}
}

// pass lets time pass: each partition belongs to one member, which shares its time among those that have something.
func (g *group) pass(d time.Duration) {
	const step = 1.0
	used := len(g.ends)
	if g.only > 0 {
		used = g.only
	}
	for range int(d.Seconds() / step) {
		for p := range used {
			g.ends[p] += g.arriving / float64(used) * step
		}
		left := math.Inf(1)
		if g.limit > 0 {
			left = g.limit * step
		}
		for m := range g.members {
			first, end := m*len(g.ends)/g.members, (m+1)*len(g.ends)/g.members // as the range assignor does
			waits := 0.0
			for p := first; p < end; p++ {
				waits += g.ends[p] - g.done[p]
			}
			budget := min(g.each*step, left/float64(g.members), waits)
			for p := first; p < end && waits > 0; p++ {
				g.done[p] += budget * (g.ends[p] - g.done[p]) / waits
			}
		}
	}
	g.at = g.at.Add(d)
}

func (g *group) sample() Sample {
	s := Sample{At: g.at, Ends: bus.Position{}, Done: bus.Position{}, Members: g.members}
	for p := range g.ends {
		s.Ends[p], s.Done[p] = int64(g.ends[p]), int64(g.done[p])
	}
	return s
}

func (g *group) lag() (sum float64) {
	for p := range g.ends {
		sum += g.ends[p] - g.done[p]
	}
	return sum
}

// watch observes for so long, without anybody following the advice.
func (g *group) watch(a *Advisor, d time.Duration) (out Advice) {
	for end := g.at.Add(d); g.at.Before(end); {
		g.pass(15 * time.Second)
		out = a.Observe(g.sample(), 0)
	}
	return out
}

func TestAdvice(t *testing.T) {
	for _, test := range []struct {
		name       string
		partitions int
		members    int
		arriving   float64
		each       float64
		limit      float64
		backlog    float64 // in each partition
		only       int
		want       int
		why        string
		soon       bool // look after a minute, not after six
	}{
		{"nothing to do", 4, 1, 0, 1000, 0, 0, 0, 1, "of which 80 % should be used", false},
		{"it keeps up", 4, 1, 900, 1000, 0, 0, 0, 1, "900/s arrive, 900/s are handled by 1", false},
		{"three do what two cannot", 4, 1, 2500, 1000, 0, 0, 0, 4, "it never catches up", false},
		{"what waits asks for more", 4, 1, 600, 1000, 0, 225_000, 0, 4, "would within 10m0s", false},
		{"it catches up in time by itself", 4, 1, 100, 1000, 0, 50_000, 0, 1, "it catches up in", true},
		{"no more than partitions", 4, 1, 50_000, 1000, 0, 0, 0, 4, "more than 4 have nothing to do", false},
		{"fewer are enough", 8, 6, 1000, 1000, 0, 0, 0, 2, "one handles 1,000/s", false},
		{"nothing is taken", 4, 2, 1000, 0, 0, 10_000, 0, 2, "more would not help", false},
		{"one partition has it all", 8, 2, 3000, 1000, 0, 0, 1, 2, "in one partition", false},
		{"nobody is there", 4, 0, 0, 1000, 0, 0, 0, 1, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGroup(test.partitions, test.members, test.arriving, test.each)
			g.limit, g.only = test.limit, test.only
			for p := range g.ends {
				g.ends[p] = test.backlog
			}
			a := NewAdvisor(DefaultConfig(), 1000)
			got := g.watch(a, time.Minute)
			if !test.soon {
				got = g.watch(a, 5*time.Minute)
			}
			if got.Wanted != test.want || !strings.Contains(got.Why, test.why) {
				t.Errorf("wanted %d, %q; expected %d, %q", got.Wanted, got.Why, test.want, test.why)
			}
		})
	}
}

// The first look asks for nothing: there are no rates yet.
func TestFirstLook(t *testing.T) {
	g := newGroup(4, 3, 1000, 1000)
	got := NewAdvisor(DefaultConfig(), 1000).Observe(g.sample(), 0)
	if got.Wanted != 3 || !strings.Contains(got.Why, "not known yet") {
		t.Errorf("wanted %d: %s", got.Wanted, got.Why)
	}
}

// Where something behind the group is the limit, it is told so once more members brought nothing, and no more are wanted.
func TestMoreDoNotHelp(t *testing.T) {
	g := newGroup(12, 2, 5000, 3000)
	g.limit = 2000
	a := NewAdvisor(DefaultConfig(), 3000)
	got := g.watch(a, 5*time.Minute)
	if got.Wanted <= 2 {
		t.Fatalf("wanted %d: %s", got.Wanted, got.Why)
	}
	g.members = 4
	got = g.watch(a, 10*time.Minute)
	if got.Wanted != 4 || !strings.Contains(got.Why, "something behind them is the limit") {
		t.Errorf("wanted %d: %s", got.Wanted, got.Why)
	}
	g.limit = 0 // it is mended
	g.arriving = 1000
	if got = g.watch(a, 20*time.Minute); got.Wanted > 2 {
		t.Errorf("after it was mended %d are wanted: %s", got.Wanted, got.Why)
	}
}

// A pause of two looks neither starts nor ends anything.
func TestABurstChangesNothing(t *testing.T) {
	g := newGroup(8, 2, 1500, 1000)
	a := NewAdvisor(DefaultConfig(), 1000)
	g.watch(a, 10*time.Minute)
	g.arriving = 0
	if got := g.watch(a, time.Minute); got.Wanted != 2 {
		t.Errorf("after a minute without anything %d are wanted: %s", got.Wanted, got.Why)
	}
	g.arriving = 1500
	if got := g.watch(a, time.Minute); got.Wanted != 2 {
		t.Errorf("after it went on %d are wanted: %s", got.Wanted, got.Why)
	}
}

// The same samples give the same advice, whatever the clock on the wall says.
func TestTimeIsAnArgument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Sample {
			s := Sample{Ends: bus.Position{}, Done: bus.Position{}, Members: rapid.IntRange(0, 9).Draw(t, "members")}
			for p := range rapid.IntRange(1, 6).Draw(t, "partitions") {
				s.Ends[p] = rapid.Int64Range(0, 1<<40).Draw(t, "end")
				s.Done[p] = rapid.Int64Range(0, 1<<40).Draw(t, "done")
			}
			s.At = began.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "at")))
			return s
		}), 1, 40).Draw(t, "samples")
		most := rapid.IntRange(0, 20).Draw(t, "most")
		a, b := NewAdvisor(DefaultConfig(), 500), NewAdvisor(DefaultConfig(), 500)
		for _, s := range samples {
			x, y := a.Observe(s, most), b.Observe(s, most)
			if x != y {
				t.Fatalf("%+v and %+v of the same", x, y)
			}
			if limit := max(1, most, len(s.Ends)); x.Wanted < 1 || x.Wanted > limit || x.Why == "" || x.Lag < 0 {
				t.Fatalf("%+v of %+v", x, s)
			}
		}
	})
}

// Whoever follows the advice, a little late, has caught up in time where that can be, and once it has settled is not sent
// up and down again, though what arrives varies.
func TestFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions := rapid.IntRange(1, 24).Draw(t, "partitions")
		each := rapid.Float64Range(200, 20_000).Draw(t, "each")
		load := rapid.Float64Range(0, 0.7).Draw(t, "load") // of what all partitions could do
		mean := load * each * float64(partitions)
		if part := math.Mod(mean/each, 1); part > 0.92 || part < 0.08 && mean > each/2 {
			t.Skip("as much as so many can just do: it is chance whether one more is needed")
		}
		g := newGroup(partitions, rapid.IntRange(1, partitions).Draw(t, "members"), mean, each)
		backlog := rapid.Float64Range(0, 600).Draw(t, "seconds of backlog") * 0.2 * each
		for p := range g.ends {
			g.ends[p] = backlog
		}
		late := rapid.IntRange(1, 4).Draw(t, "looks until followed")
		a := NewAdvisor(DefaultConfig(), each*rapid.Float64Range(0.3, 3).Draw(t, "first guess"))
		var wanted []int
		for i := range 240 { // an hour
			g.arriving = mean * (1 + rapid.Float64Range(-0.05, 0.05).Draw(t, "noise"))
			g.pass(15 * time.Second)
			out := a.Observe(g.sample(), 0)
			wanted = append(wanted, out.Wanted)
			if i >= late {
				g.members = wanted[i-late]
			}
		}
		if g.lag() > max(20*mean, 10*float64(partitions)) {
			t.Errorf("%.0f still wait, %.1f seconds' worth, with %d of %d members: %v", g.lag(), g.lag()/mean, g.members, partitions, wanted)
		}
		if n := turns(wanted[120:]); n > 1 {
			t.Errorf("%d times up and down in the last half hour: %v", n, wanted)
		}
	})
}

// turns counts how often it went the other way.
func turns(ns []int) (n int) {
	last := 0
	for i := 1; i < len(ns); i++ {
		d := ns[i] - ns[i-1]
		if d*last < 0 {
			n++
		}
		if d != 0 {
			last = d
		}
	}
	return n
}

// What is wanted falls at most once in the time for which fewer must be enough.
func TestHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		g := newGroup(16, 8, 0, 1000)
		a := NewAdvisor(cfg, 1000)
		fell := time.Time{}
		last := 0
		for range 100 {
			g.arriving = rapid.Float64Range(0, 12_000).Draw(t, "arriving")
			g.pass(cfg.Every)
			out := a.Observe(g.sample(), 0)
			if out.Wanted < last {
				if !fell.IsZero() && g.at.Sub(fell) < cfg.Every {
					t.Fatalf("it fell again after %v", g.at.Sub(fell))
				}
				fell = g.at
				for _, w := range a.wishes {
					if w.n > out.Wanted {
						t.Fatalf("%d are wanted, and %d were within %v", out.Wanted, w.n, cfg.Hold)
					}
				}
			}
			last = out.Wanted
		}
	})
}
