package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"imwatch/internal/store"
)

func testSwap(t *testing.T, s *suite) {
	t.Helper()
	t.Run("versions", func(t *testing.T) { testVersions(t, s) })
	t.Run("race", func(t *testing.T) { testRace(t, s) })
}

func state(index, id, reason string) store.Doc {
	return raw(index, id, fmt.Sprintf(`{"@timestamp":"2026-11-21T08:30:00.000Z","event":{"reason":%q}}`, reason))
}

func testVersions(t *testing.T, s *suite) {
	t.Helper()
	ctx, index := t.Context(), "im-notify-"+s.run+"-x"
	if _, _, err := s.Get(ctx, index, "1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get without an index: %v, want ErrNotFound", err)
	}
	if _, err := s.Swap(ctx, state(index, "1", "x"), "1-1"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Swap without an index: %v, want ErrConflict", err)
	}
	v1, err := s.Swap(ctx, state(index, "1", "first"), "")
	if err != nil || v1 == "" {
		t.Fatalf("creating: version %q, %v", v1, err)
	}
	body, seen, err := s.Get(ctx, index, "1")
	if err != nil || seen != v1 || string(body) != string(state(index, "1", "first").Body) {
		t.Fatalf("Get gave %s, version %q, %v; want version %q", body, seen, err, v1)
	}
	if _, err := s.Swap(ctx, state(index, "1", "x"), ""); !errors.Is(err, store.ErrConflict) {
		t.Errorf("creating what is there: %v, want ErrConflict", err)
	}
	v2, err := s.Swap(ctx, state(index, "1", "second"), v1)
	if err != nil || v2 == v1 {
		t.Fatalf("updating: version %q, %v", v2, err)
	}
	if _, err := s.Swap(ctx, state(index, "1", "x"), v1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("updating an old version: %v, want ErrConflict", err)
	}
	if _, err := s.Swap(ctx, state(index, "2", "x"), v2); !errors.Is(err, store.ErrConflict) {
		t.Errorf("updating what is not there: %v, want ErrConflict", err)
	}
	if _, _, err := s.Get(ctx, index, "2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get of what is not there: %v, want ErrNotFound", err)
	}
	s.refresh(t)
	s.expect(t, store.Query{Indices: index, Where: keyword("event.reason", "second")}, "1")
	s.expect(t, store.Query{Indices: index, Where: keyword("event.reason", "first")})
	testSwapPut(t, s, index)
}

// testSwapPut changes what Put has made, and puts what Swap has made.
func testSwapPut(t *testing.T, s *suite, index string) {
	t.Helper()
	s.put(t, state(index, "3", "put"))
	_, v, err := s.Get(t.Context(), index, "3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Swap(t.Context(), state(index, "3", "swapped"), v); err != nil {
		t.Errorf("changing what was put: %v", err)
	}
	if r := s.results(t, state(index, "3", "put")); r[0].Outcome != store.Existed {
		t.Errorf("putting again what was swapped: %v", r[0].Outcome)
	}
}

// testRace lets many count up one document: each number is given once.
func testRace(t *testing.T, s *suite) {
	t.Helper()
	const workers, rounds = 4, 10
	index := "im-notify-" + s.run + "-race"
	if _, err := s.Swap(t.Context(), state(index, "n", "0"), ""); err != nil {
		t.Fatal(err)
	}
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				_, v, err := s.Get(t.Context(), index, "n")
				if err != nil {
					t.Error(err)
					return
				}
				switch _, err := s.Swap(t.Context(), state(index, "n", v), v); {
				case err == nil:
					done++
					wins.Add(1)
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if wins.Load() != workers*rounds {
		t.Errorf("%d swaps won, want %d", wins.Load(), workers*rounds)
	}
}
