package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"imwatch/internal/store"
)

func put(t *testing.T, s *Store, docs ...store.Doc) {
	t.Helper()
	results, err := s.Put(t.Context(), docs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != store.Stored {
			t.Fatalf("document %d: %v %s", i, r.Outcome, r.Reason)
		}
	}
}

func ids(t *testing.T, s *Store, q store.Query) []string {
	t.Helper()
	var all []string
	for h, err := range s.Search(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h.ID)
	}
	return all
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), lockName) {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestReopened closes a store and opens the directory again, with a name that needs escaping.
func TestReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a ?#% dir")
	log, _ := test.NewNullLogger()
	s, err := Open(Config{Dir: dir, MaxOpenFiles: 1}, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := benchDoc("1", time.Unix(1795000000, 0))
	put(t, s, d)
	version, err := s.Swap(t.Context(), store.Doc{Index: "im-notify-2026.11", ID: "n", Body: []byte(`{}`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{d.Index + suffix, "im-notify-2026.11" + suffix}
	if got := listing(t, dir); !slices.Equal(got, want) {
		t.Errorf("files %q after Close, want %q", got, want)
	}
	again := open(t, Config{Dir: dir, MaxOpenFiles: 1})
	if got := ids(t, again, store.Query{Indices: "im-connection-*"}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("found %q", got)
	}
	if _, v, err := again.Get(t.Context(), "im-notify-2026.11", "n"); err != nil || v != version {
		t.Errorf("version %q, %v, want %q", v, err, version)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	open(t, Config{Dir: dir, MaxOpenFiles: 1})
	log, _ := test.NewNullLogger()
	_, err := Open(Config{Dir: dir, MaxOpenFiles: 1}, log, nil)
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opening a directory twice: %v", err)
	}
}

// TestFewOpenFiles works on many more indices than may be open, from several goroutines.
func TestFewOpenFiles(t *testing.T) {
	const indices = 20
	s := open(t, Config{Dir: t.TempDir(), MaxOpenFiles: 3})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range indices {
				d := benchDoc(fmt.Sprintf("%d-%d", w, i), time.Unix(1795000000+86400*int64(i), int64(w)))
				if results, err := s.Put(t.Context(), d, d); err != nil || results[0].Outcome != store.Stored || results[1].Outcome != store.Existed {
					t.Errorf("Put: %v, %v", results, err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.files.open; n > 3 {
		t.Errorf("%d files are open, at most 3 may be", n)
	}
	got := ids(t, s, store.Query{Indices: "*"})
	if len(got) != 4*indices || got[0] != "0-0" || got[len(got)-1] != fmt.Sprintf("3-%d", indices-1) {
		t.Errorf("found %d: %q", len(got), got)
	}
	if n := s.files.open; n > 3 {
		t.Errorf("%d files are open after the search, at most 3 may be", n)
	}
}

// TestDropUnlinks drops an index that is being read: the reader ends in peace, then the files are gone.
func TestDropUnlinks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxOpenFiles: 3})
	a, b := benchDoc("1", time.Unix(1795000000, 0)), benchDoc("2", time.Unix(1795000001, 0))
	put(t, s, a, b)
	dropped := make(chan error)
	var got []string
	for h, err := range s.Search(t.Context(), store.Query{Indices: a.Index}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			go func() { dropped <- s.Drop(context.WithoutCancel(t.Context()), a.Index) }()
		}
		got = append(got, h.ID)
	}
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("the reader found %q", got)
	}
	if files := listing(t, dir); len(files) != 0 {
		t.Errorf("left in the directory: %q", files)
	}
	put(t, s, a)
	if got := ids(t, s, store.Query{Indices: "*"}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("found %q after putting again", got)
	}
}

// TestDropGivesUp cancels a Drop that waits for a reader.
func TestDropGivesUp(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), MaxOpenFiles: 3})
	d := benchDoc("1", time.Unix(1795000000, 0))
	put(t, s, d)
	for _, err := range s.Search(t.Context(), store.Query{Indices: d.Index}) {
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := s.Drop(ctx, d.Index); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drop: %v", err)
		}
		cancel()
	}
	if got := ids(t, s, store.Query{Indices: "*"}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("found %q after a Drop that gave up", got)
	}
}

// TestIndexGone drops an index between the listing of a search and its reading: that is an error, not fewer hits.
func TestIndexGone(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), MaxOpenFiles: 3})
	a, b := benchDoc("1", time.Unix(1795000000, 0)), benchDoc("2", time.Unix(1795100000, 0))
	put(t, s, a, b)
	var last error
	for h, err := range s.Search(t.Context(), store.Query{Indices: "*"}) {
		if last = err; h.ID == "1" {
			if err := s.Drop(t.Context(), b.Index); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !errors.Is(last, store.ErrUnavailable) {
		t.Errorf("the search ended with %v, want ErrUnavailable", last)
	}
}

// TestDamaged opens files that are none of ours.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "im-alerts-2026.11"+suffix), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir, MaxOpenFiles: 3})
	_, err := s.Count(t.Context(), store.Query{Indices: "im-alerts-*"})
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "im-alerts-2026.11") {
		t.Errorf("Count: %v, want a lasting error that names the index", err)
	}
	d := benchDoc("1", time.Unix(1795000000, 0))
	put(t, s, d) // the others go on
	f, err := s.files.acquire(t.Context(), d.Index, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	s.files.release(f)
	s.files.mu.Lock()
	err = s.files.shut(f)
	s.files.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), d); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("Put into a file of a later version: %v", err)
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := Config{}.Validate()
	if err == nil || !strings.Contains(err.Error(), "dir:") || !strings.Contains(err.Error(), "max_open_files:") {
		t.Errorf("an empty configuration: %v", err)
	}
}
