package parquet

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"imwatch/shipper/index/chunk"
)

// Whatever is asked for and by whom: what is given holds the offset asked for, never changes, and spans never overlap.
func TestSpansNeverOverlap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		workers := []*Keeper{keeper(t, dir), keeper(t, dir)}
		at := chunk.Place{Topic: "im.lifecycle", Partition: 1}
		owner := map[int64]chunk.Span{} // of each offset
		for range rapid.IntRange(1, 12).Draw(rt, "calls") {
			from := rapid.Int64Range(0, 60).Draw(rt, "from")
			want := chunk.Span{From: from, To: from + rapid.Int64Range(0, 30).Draw(rt, "length")}
			got, err := rapid.SampledFrom(workers).Draw(rt, "worker").Span(t.Context(), at, want)
			if err != nil {
				rt.Fatal(err)
			}
			if got.From > want.From || got.To < want.From {
				rt.Fatalf("%v was given for %v", got, want)
			}
			for o := got.From; o <= got.To; o++ {
				if was, there := owner[o]; there && was != got {
					rt.Fatalf("offset %d is in %v and in %v", o, was, got)
				}
				owner[o] = got
			}
		}
	})
}

// Many who lay down the same chunk at once are given the same end.
func TestTheFirstDecides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := chunk.Place{Topic: "im.lifecycle", Partition: 1}
	var wg sync.WaitGroup
	ends := make([]int64, 16)
	for i := range ends {
		k := keeper(t, dir)
		wg.Go(func() {
			got, err := k.Span(t.Context(), at, chunk.Span{From: 100, To: int64(100 + i)})
			if err != nil {
				t.Error(err)
			}
			ends[i] = got.To
		})
	}
	wg.Wait()
	for i, to := range ends {
		if to != ends[0] {
			t.Errorf("worker %d was given %d, worker 0 %d", i, to, ends[0])
		}
	}
}

// A file of the spans that is not one is an error that names it.
func TestSpoiltSpan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := keeper(t, dir)
	at := chunk.Place{Topic: "im.lifecycle", Partition: 1}
	if _, err := k.Span(t.Context(), at, chunk.Span{From: 5, To: 9}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, spansDir, at.String(), spanName(5))
	for _, text := range []string{"", "x", "4"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Span(t.Context(), at, chunk.Span{From: 7, To: 9}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
