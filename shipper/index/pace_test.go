package index

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever the store answers and whenever, the window keeps its bounds and something may always go.
func TestPaceKeepsItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.BatchBytes = rapid.IntRange(1<<10, 90<<20).Draw(t, "batch_bytes")
		cfg.InFlight = rapid.IntRange(1, 64).Draw(t, "in_flight")
		p := newPace(cfg)
		for range rapid.IntRange(0, 200).Draw(t, "answers") {
			cuts := p.begin() - rapid.IntRange(0, 1).Draw(t, "old")
			if rapid.Bool().Draw(t, "taken") {
				p.taken(cuts, rapid.IntRange(0, 100<<20).Draw(t, "bytes"), rapid.SampledFrom([]time.Duration{0, cfg.LatencyTarget, time.Hour}).Draw(t, "took"))
			} else {
				p.refused(cuts)
			}
			size := p.size()
			if size < min(leastBytes, cfg.BatchBytes) || size > cfg.BatchBytes {
				t.Fatalf("a call of %d bytes", size)
			}
			if w := p.bytes(); w < float64(min(leastBytes, cfg.BatchBytes)) || w > float64(cfg.BatchBytes)*float64(cfg.InFlight) {
				t.Fatalf("a window of %.0f bytes", w)
			}
			calls, flying := 0, 0
			for p.room(size, flying, calls) {
				calls++
				flying += size
			}
			if calls < 1 || calls > cfg.InFlight || calls > 1 && float64(flying) > p.bytes()*1.3 {
				t.Fatalf("%d calls of %d bytes at once in a window of %.0f", calls, size, p.bytes())
			}
		}
	})
}

// cluster stands in for Elasticsearch: it works through so many bytes a second, and refuses what would be more than
// limit bytes at once.
type cluster struct {
	mu     sync.Mutex
	limit  int
	rate   float64
	inside int
	free   time.Time // when it is done with all that it has

	took    []time.Duration
	taken   int
	calls   int
	refused int
}

func (c *cluster) put(bytes int) bool {
	c.mu.Lock()
	c.calls++
	if c.inside > 0 && c.inside+bytes > c.limit {
		c.refused++
		c.mu.Unlock()
		return false
	}
	start := time.Now()
	if c.free.Before(start) {
		c.free = start
	}
	c.free = c.free.Add(5*time.Millisecond + time.Duration(float64(bytes)/c.rate*1e9))
	wait := c.free.Sub(start)
	c.inside += bytes
	c.mu.Unlock()
	<-time.After(wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside -= bytes
	c.taken += bytes
	c.took = append(c.took, wait)
	return true
}

func (c *cluster) change(limit int, rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit, c.rate, c.taken, c.calls, c.refused, c.took = limit, rate, 0, 0, 0, nil
}

// feed sends as much as the pace allows until the time is over, as the indexer does: what is refused waits and goes
// again, in calls of the size that is right by then.
func feed(p *pace, c *cluster, cfg Config, rng *rand.Rand, during time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	flying, calls := 0, 0
	landed := make(chan struct{}, cfg.InFlight)
	for end := time.Now().Add(during); time.Now().Before(end); {
		size := p.size()
		mu.Lock()
		ok := p.room(size, flying, calls)
		if ok {
			flying, calls = flying+size, calls+1
		}
		mu.Unlock()
		if !ok {
			<-landed
			continue
		}
		jitter := time.Duration(rng.Int64N(int64(cfg.RetryMin)))
		wg.Go(func() {
			for left, wait := size, cfg.RetryMin; left > 0; {
				n := min(left, p.size())
				cuts, start := p.begin(), time.Now()
				if c.put(n) {
					p.taken(cuts, n, time.Since(start))
					left, wait = left-n, cfg.RetryMin
					continue
				}
				p.refused(cuts)
				<-time.After(wait/2 + jitter)
				wait = min(2*wait, cfg.RetryMax)
			}
			mu.Lock()
			flying, calls = flying-size, calls-1
			mu.Unlock()
			landed <- struct{}{}
		})
	}
	go func() { // what is still on its way must be able to land
		for range landed {
		}
	}()
	wg.Wait()
	close(landed)
}

// The pace finds what a cluster takes, whatever that is, follows it down and up again, and is refused seldom meanwhile.
func TestPaceFollowsTheCluster(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg := DefaultConfig()
		limit := rapid.IntRange(512<<10, 64<<20).Draw(rt, "bytes at once")
		rate := rapid.Float64Range(1<<20, 8<<20).Draw(rt, "bytes a second")
		slower := rapid.Float64Range(2, 16).Draw(rt, "slower by")
		seed := rapid.Uint64().Draw(rt, "seed")
		type phase struct {
			name  string
			limit int
			rate  float64
		}
		phases := []phase{
			{"at first", limit, rate}, {"in trouble", max(limit/8, 256<<10), rate / slower}, {"back again", limit, rate},
		}
		var faults []string
		synctest.Test(t, func(*testing.T) {
			p, c, rng := newPace(cfg), &cluster{}, rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's
			for _, ph := range phases {
				c.change(ph.limit, ph.rate)
				feed(p, c, cfg, rng, 40*time.Second)
				c.change(ph.limit, ph.rate)
				const measured = 20 * time.Second
				start := time.Now()
				feed(p, c, cfg, rng, measured)
				elapsed := time.Since(start).Seconds()
				// The pause of 5 ms that each call costs is not for the pace to win back.
				small := float64(min(cfg.BatchBytes, ph.limit)) / 4
				best := ph.rate * (small / ph.rate) / (small/ph.rate + 0.005)
				if got := float64(c.taken) / elapsed; got < 0.6*best {
					faults = append(faults, ph.name+": too little is sent")
				}
				if c.refused*5 > c.calls {
					faults = append(faults, ph.name+": too often refused")
				}
				slices.Sort(c.took)
				if n := len(c.took); n > 0 && c.took[n*9/10] > 2*cfg.LatencyTarget {
					faults = append(faults, ph.name+": calls take too long")
				}
			}
		})
		if len(faults) > 0 {
			rt.Fatal(faults)
		}
	})
}
