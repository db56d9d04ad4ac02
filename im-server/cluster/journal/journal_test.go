package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type tb interface {
	Helper()
	Fatal(...any)
}

func open(t tb, path string) *Journal {
	t.Helper()
	j, err := Open(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func all(t tb, j *Journal) []string {
	t.Helper()
	records, err := j.Next(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, r := range records {
		out = append(out, string(r))
	}
	return out
}

// A crash leaves what was forced onto the disk, and any piece of what was being written.
func TestWhatWasPromisedOutlivesACrash(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		j := open(t, path)
		model := []string{}
		made := 0
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var records [][]byte
				for range rapid.IntRange(1, 4).Draw(t, "records") {
					made++
					records = append(records, []byte(fmt.Sprint(made, strings.Repeat("x", rapid.IntRange(0, 40).Draw(t, "size")))))
				}
				if err := j.Append(records...); err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					model = append(model, string(r))
				}
			},
			"done": func(t *rapid.T) {
				k := rapid.IntRange(0, len(model)).Draw(t, "done")
				if err := j.Done(k); err != nil {
					t.Fatal(err)
				}
				model = model[k:]
			},
			"crash": func(t *rapid.T) {
				whole := j.end
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				// The last write had not reached the disk: a piece of it is there, which may be damaged.
				next := appendFrame(appendFrame(nil, kindData, []byte("never promised")), kindData, []byte("nor this"))
				piece := next[:rapid.IntRange(0, len(next)-1).Draw(t, "piece")]
				if cut := len(appendFrame(nil, kindData, []byte("never promised"))); len(piece) >= cut {
					piece[cut-1] ^= 1
				}
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				_, errWrite := f.WriteAt(piece, whole)
				if err := errors.Join(errWrite, f.Close()); err != nil {
					t.Fatal(err)
				}
				j = open(t, path)
				if j.Torn() != int64(len(piece)) {
					t.Fatalf("%d bytes were cut off, not %d", j.Torn(), len(piece))
				}
			},
			"": func(t *rapid.T) {
				if diff := cmp.Diff(model, all(t, j)); diff != "" {
					t.Fatalf("records (-want +got):\n%s", diff)
				}
				if j.Len() != len(model) {
					t.Fatalf("%d records, counted %d", len(model), j.Len())
				}
			},
		})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFullJournalTakesNothing(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "j"), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if err := j.Append([]byte("fits")); err != nil {
		t.Fatal(err)
	}
	if err := j.Append([]byte("fits"), bytes.Repeat([]byte("x"), 90)); !errors.Is(err, ErrFull) {
		t.Errorf("more than the bound gave %v", err)
	}
	if got := all(t, j); !slices.Equal(got, []string{"fits"}) {
		t.Errorf("it holds %q", got)
	}
	if err := j.Done(1); err != nil || j.Bytes() != int64(len(magic)) {
		t.Errorf("emptied: %d bytes, %v", j.Bytes(), err)
	}
}

func TestAJournalHasOneUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "j")
	j := open(t, path)
	if _, err := Open(path, 100); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("opened a second time: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Error(err)
	}
}

func TestAnotherFileIsNotTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes")
	if err := os.WriteFile(path, []byte("dear diary, today"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 100); err == nil || !strings.Contains(err.Error(), "no journal") {
		t.Errorf("opened: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "dear diary, today" {
		t.Errorf("it is %q now, %v", b, err)
	}
}

func TestAWriteThatFailsPromisesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path)
	if err := j.Append([]byte("1")); err != nil {
		t.Fatal(err)
	}
	whole := j.file
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	j.file = readOnly
	for range 2 {
		if err := j.Append([]byte("2")); err == nil {
			t.Error("written to what cannot be written")
		}
	}
	if err := errors.Join(readOnly.Close(), whole.Close()); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	if got := all(t, j); !slices.Equal(got, []string{"1"}) {
		t.Errorf("it holds %q", got)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	good := appendFrame(appendFrame(nil, kindData, []byte("a")), kindDone, []byte{1, 0, 0, 0})
	f.Add(good)
	f.Add(append(good, 0xff, 0xff, 0xff, 0xff))
	f.Add(appendFrame(nil, 'x', nil))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "j")
		if err := os.WriteFile(path, append([]byte(magic), data...), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(path, 1<<20)
		if err != nil {
			return
		}
		before := all(t, j)
		if err := j.Append([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, path)
		if diff := cmp.Diff(append(before, "new"), all(t, j)); diff != "" || j.Torn() != 0 {
			t.Errorf("reopened: %d torn, records (-want +got):\n%s", j.Torn(), diff)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
