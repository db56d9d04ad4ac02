package chunk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"imwatch/shipper/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() logrus.FieldLogger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// disk is a keeper in memory that all workers share. A chunk is two files, and a crash may come between them.
type disk struct {
	spans map[Place][]Span
	files map[string][]int64
	fault func() error // before each step
	twice []string     // files that were written again with something else in them
}

func (d *disk) Span(_ context.Context, at Place, want Span) (Span, error) {
	if err := d.fault(); err != nil {
		return Span{}, err
	}
	got, there := Cut(d.spans[at], want)
	if !there {
		d.spans[at] = append(d.spans[at], got)
		slices.SortFunc(d.spans[at], func(a, b Span) int { return int(a.From - b.From) })
	}
	if err := d.fault(); err != nil { // it is laid down, and nobody was told
		return Span{}, err
	}
	return got, nil
}

func (d *disk) Keep(_ context.Context, c Chunk) error {
	for half := range int64(2) {
		if err := d.fault(); err != nil {
			return err
		}
		var offsets []int64
		for _, it := range c.Items {
			if it.Offset%2 == half {
				offsets = append(offsets, it.Offset)
			}
		}
		name := fmt.Sprintf("%s/%d-%d/%d", c.Place, c.From, c.To, half)
		if old, there := d.files[name]; there && !slices.Equal(old, offsets) {
			d.twice = append(d.twice, name)
		}
		d.files[name] = offsets
	}
	return nil
}

// worker is an indexer with what it has read so far.
type worker struct {
	sink *Sink
	next map[Place]int64 // of the partitions that it reads, rightly or not
}

var errCrash = errors.New("crash")

// Whoever has the partitions and whoever thinks so, whenever indexers die, even between the files of a chunk: every
// message is in one file in the end, and a file that is written again is the same.
func TestEachMessageInOneFile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		places := []Place{{"im.lifecycle", 0}, {"im.lifecycle", 1}}
		length := map[Place]int64{}
		for _, at := range places {
			length[at] = rapid.Int64Range(0, 120).Draw(t, "messages")
		}
		cfg := DefaultConfig()
		cfg.RetryMin, cfg.RetryMax = time.Nanosecond, time.Nanosecond
		cfg.Bytes = 1 << 10
		cfg.HeldMost = rapid.IntRange(1<<10, 3<<10).Draw(t, "held")
		now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
		crashAt := -1 // steps of the keeper from now on
		d := &disk{spans: map[Place][]Span{}, files: map[string][]int64{}}
		var crash context.CancelFunc
		d.fault = func() error {
			if crashAt--; crashAt == 0 {
				crash()
				return errCrash
			}
			return nil
		}
		start := func() *worker {
			s, err := New(cfg, Deps{Keeper: d, Log: quiet(), Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			return &worker{s, map[Place]int64{}}
		}
		workers := []*worker{start(), start(), start()}
		owner, committed := map[Place]int{}, map[Place]int64{}
		assign := func(at Place, w int) {
			owner[at] = w
			workers[w].next[at] = committed[at]
		}
		for _, at := range places {
			assign(at, 0)
		}
		// read gives worker w so many messages of each of its partitions.
		read := func(w int, n int64) {
			var items []index.Item
			for at, next := range workers[w].next {
				for o := next; o < min(next+n, length[at]); o++ {
					it := index.Item{Topic: at.Topic, Partition: at.Partition, Offset: o, Body: []byte(strings.Repeat("x", int(40+o%97)))}
					if o%11 != 3 { // else a message without a document
						it.ID = fmt.Sprint(at, o)
					}
					items = append(items, it)
				}
				workers[w].next[at] = max(next, min(next+n, length[at]))
			}
			ctx, cancel := context.WithCancel(context.Background())
			crash = cancel
			p, err := workers[w].sink.Write(ctx, items)
			cancel()
			for _, m := range p.Commit { // one that was lost in the crash is like none
				if at := (Place{m.Topic, m.Partition}); err == nil && owner[at] == w {
					committed[at] = max(committed[at], m.Offset+1)
				}
			}
			if err != nil {
				workers[w] = start()
				for _, at := range places {
					if owner[at] == w {
						assign(at, w)
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"read": func(t *rapid.T) {
				read(rapid.IntRange(0, 2).Draw(t, "worker"), rapid.Int64Range(0, 40).Draw(t, "messages"))
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "by"))
			},
			"rebalance": func(t *rapid.T) { // who had it does not know yet
				assign(rapid.SampledFrom(places).Draw(t, "partition"), rapid.IntRange(0, 2).Draw(t, "worker"))
			},
			"learns of it": func(t *rapid.T) {
				w := rapid.IntRange(0, 2).Draw(t, "worker")
				maps.DeleteFunc(workers[w].next, func(at Place, _ int64) bool { return owner[at] != w })
			},
			"crash soon": func(t *rapid.T) { crashAt = rapid.IntRange(1, 8).Draw(t, "steps") },
		})
		crashAt = -1
		for round := 0; ; round++ {
			done := true
			for _, at := range places {
				done = done && committed[at] >= length[at]
			}
			if done {
				break
			}
			if round > 200 {
				t.Fatalf("committed %v of %v", committed, length)
			}
			now = now.Add(time.Hour)
			for w := range workers {
				read(w, 50)
			}
		}
		if len(d.twice) > 0 {
			t.Errorf("written again with something else: %v", d.twice)
		}
		in := map[string]int{}
		for name, offsets := range d.files {
			place, _, _ := strings.Cut(name, "/")
			for _, o := range offsets {
				in[fmt.Sprint(place, "/", o)]++
			}
		}
		for _, at := range places {
			for o := range length[at] {
				want := 1
				if o%11 == 3 {
					want = 0
				}
				if n := in[fmt.Sprint(at, "/", o)]; n != want {
					t.Errorf("%s offset %d is in %d files", at, o, n)
				}
			}
		}
	})
}

// A document that comes twice in a chunk is in it once.
func TestDistinct(t *testing.T) {
	t.Parallel()
	got := distinct([]index.Item{{Offset: 1, ID: "a"}, {Offset: 2}, {Offset: 3, ID: "a"}, {Offset: 4, ID: "a", Letter: true}, {Offset: 5, ID: "b"}})
	var offsets []int64
	for _, it := range got {
		offsets = append(offsets, it.Offset)
	}
	if want := []int64{1, 4, 5}; !slices.Equal(offsets, want) {
		t.Errorf("kept %v, want %v", offsets, want)
	}
}

// A chunk is kept when it is full, or when it is old, and what could not be kept is tried again.
func TestWhenAChunkIsKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	failures := 3
	d := &disk{spans: map[Place][]Span{}, files: map[string][]int64{}, fault: func() error {
		if failures--; failures >= 0 {
			return errors.New("no space left on device")
		}
		return nil
	}}
	cfg := DefaultConfig()
	cfg.Bytes, cfg.RetryMin, cfg.RetryMax = 1<<10, time.Nanosecond, time.Nanosecond
	s, err := New(cfg, Deps{Keeper: d, Log: quiet(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	write := func(items ...index.Item) int64 {
		t.Helper()
		p, err := s.Write(t.Context(), items)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Commit) == 0 {
			return -1
		}
		return p.Commit[len(p.Commit)-1].Offset
	}
	item := func(offset int64, bytes int) index.Item {
		return index.Item{Topic: "t", Offset: offset, ID: fmt.Sprint(offset), Body: make([]byte, bytes)}
	}
	if at := write(item(0, 600)); at != -1 {
		t.Errorf("kept up to %d before it was full", at)
	}
	if at := write(item(1, 600), item(2, 10)); at != 1 {
		t.Errorf("kept up to %d, not 1", at)
	}
	now = now.Add(cfg.Age)
	if at := write(); at != 2 {
		t.Errorf("kept up to %d, not 2", at)
	}
	if at := write(); at != -1 || s.bytes != 0 {
		t.Errorf("something is left: %d bytes", s.bytes)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{HeldMost: -1, RetryMax: -1}.Validate()
	for _, key := range []string{"bytes", "held_most", "age", "retry_min", "retry_max"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
}
