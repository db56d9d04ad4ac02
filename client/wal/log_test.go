package wal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platter is a file of which a crash leaves what was synced, and any part of the rest.
type platter struct {
	written []byte
	durable int
	fail    error // of the next write
	renamed bool  // a replace that fails has put the new file in its place all the same
}

func (p *platter) append(data []byte, sync bool) error {
	p.written = append(p.written, data...)
	if err := p.fail; err != nil {
		p.fail = nil
		return err
	}
	if sync {
		p.durable = len(p.written)
	}
	return nil
}

func (p *platter) replace(data []byte) error {
	err := p.fail
	if p.fail = nil; err == nil || p.renamed {
		p.written, p.durable = slices.Clone(data), len(data)
	}
	return err
}

func (p *platter) close() error { return nil }

// What Add returned is there after a crash at any byte; nothing has another's id; the order stays.
func TestCrashes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		disk := &platter{}
		queued := map[string]string{}  // added and not removed
		removed := map[string]string{} // may come back
		used := map[string]bool{}
		var order []string
		bounds := Options{Messages: 20, Bytes: 4000, compact: 200}
		l, err := open(disk, nil, bounds)
		if err != nil {
			t.Fatal(err)
		}
		reopen := func() {
			if l, err = open(disk, disk.written, bounds); err != nil {
				t.Fatal(err)
			}
			last := -1
			for _, e := range l.Entries() {
				at := slices.Index(order, e.ID)
				if at >= 0 && at <= last {
					t.Fatalf("%s is not in its place", e.ID)
				}
				last = max(last, at)
				switch data, ok := queued[e.ID]; {
				case ok && data != string(e.Data), !ok && removed[e.ID] != string(e.Data):
					t.Fatalf("%s has become %q", e.ID, e.Data)
				case !ok: // its removal was lost
					queued[e.ID] = string(e.Data)
				}
			}
			if got := l.Len(); got != len(queued) {
				t.Fatalf("%d entries are there, want %d", got, len(queued))
			}
		}
		add := func(data string) {
			id, err := l.Add([]byte(data))
			switch {
			case errors.Is(err, ErrFull) && (len(queued) == 20 || sum(queued)+len(data) > 4000):
			case err != nil:
				t.Fatal(err)
			case used[id]:
				t.Fatalf("%s was there before", id)
			default:
				used[id], queued[id] = true, data
				order = append(order, id)
			}
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 5:
				add(strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "bytes")))
			case op < 8 && len(queued) > 0:
				id := rapid.SampledFrom(order).Draw(t, "which")
				if err := l.Remove(id); err != nil {
					t.Fatal(err)
				}
				if data, ok := queued[id]; ok {
					delete(queued, id)
					removed[id] = data
				}
			case op == 8:
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				clear(removed)
				reopen()
			default:
				if rapid.Bool().Draw(t, "while adding") {
					disk.fail, disk.renamed = errors.New("no power"), rapid.Bool().Draw(t, "renamed")
					if _, err := l.Add([]byte("half")); err == nil {
						t.Fatal("what is not on the disk was promised")
					}
					if _, err := l.Add([]byte("more")); err == nil && disk.fail == nil {
						t.Fatal("a file that failed took more")
					}
				}
				rest := rapid.IntRange(0, len(disk.written)-disk.durable).Draw(t, "rest")
				disk.written = slices.Clone(disk.written[:disk.durable+rest])
				if rest > 0 && rapid.Bool().Draw(t, "garbled") {
					disk.written[disk.durable+rapid.IntRange(0, rest-1).Draw(t, "where")] ^= 0x40
				}
				disk.durable, disk.fail = len(disk.written), nil
				removed["half"] = "half"
				reopenHalf(t, disk, bounds, queued, removed, used, &order)
				reopen()
			}
		}
	})
}

// reopenHalf takes note of an entry that was being added when the power went: it may be there, though nobody was told.
func reopenHalf(t *rapid.T, disk *platter, o Options, queued, removed map[string]string, used map[string]bool, order *[]string) {
	l, err := open(disk, disk.written, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Entries() {
		if queued[e.ID] == "" && string(e.Data) == "half" && !used[e.ID] {
			used[e.ID], queued[e.ID] = true, "half"
			*order = append(*order, e.ID)
		}
	}
	delete(removed, "half")
}

func sum(m map[string]string) (n int) {
	for _, v := range m {
		n += len(v)
	}
	return n
}

// Many add at once, to a real file, and find it all again.
func TestRealFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue")
	l, err := Open(path, Options{compact: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "belongs to another") {
		t.Errorf("opened twice: %v", err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	want := map[string]string{}
	for g := range 8 {
		all.Go(func() {
			for i := range 10 {
				data := strings.Repeat("y", g*10+i)
				id, err := l.Add([]byte(data))
				if err == nil && i%2 == 0 {
					err = l.Remove(id)
				}
				if err != nil {
					t.Error(err)
				}
				if i%2 == 1 {
					mu.Lock()
					want[id] = data
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := l.Add(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	// As after a kill in the middle of a record.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	torn := record{kindAdd, 1000, []byte("never")}.append(nil)
	if _, err := f.Write(torn[:len(torn)-1]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range l.Entries() {
		got[e.ID] = string(e.Data)
	}
	if diff := cmp.Diff(want, got); diff != "" || l.Cut() != int64(len(torn)-1) {
		t.Errorf("%d bytes were cut; found again (-want +got):\n%s", l.Cut(), diff)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(path, []byte("Dear all,"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "no queue's file") {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(dir, "not", "there"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Open("", Options{Messages: -1}); err == nil {
		t.Error("no bound at all was taken")
	}
}

func TestInMemory(t *testing.T) {
	t.Parallel()
	l, err := Open("", Options{Messages: 2, Bytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	first, err := l.Add([]byte("12345"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Add([]byte("123456")); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if err := l.Remove(first); err != nil || l.Len() != 0 {
		t.Error(err)
	}
	if err := errors.Join(l.Remove("other-1"), l.Remove(first), l.Close()); err != nil {
		t.Error(err)
	}
}

func FuzzReplay(f *testing.F) {
	s := &state{prefix: "p", next: 9, entries: map[uint64][]byte{3: []byte("a"), 8: nil}}
	f.Add(s.whole())
	f.Add(record{kindRemove, 3, nil}.append(s.whole()))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, good := replay(data)
		if good > len(data) {
			t.Fatalf("read %d of %d bytes", good, len(data))
		}
		if good == 0 {
			return
		}
		again, n := replay(s.whole())
		if diff := cmp.Diff(s, again, cmp.AllowUnexported(state{}), cmpopts.EquateEmpty()); diff != "" || n == 0 {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
