package queue_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"imwatch/shipper/queue"
)

var at = time.Unix(1_790_000_000, 0)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
}

func open(t tester, cfg queue.Config, done uint64) *queue.Queue {
	t.Helper()
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	q, err := queue.Open(cfg, done)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// rest reads all that Next gives.
func rest(t *rapid.T, q *queue.Queue) (out []queue.Entry) {
	for {
		e, ok, err := q.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		out = append(out, e)
	}
}

func payload(number uint64, size int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d,", number), size/2+1)[:size]
}

func scratchDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "queue")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Wherever the machine dies, all entries whose Append has returned are there afterwards, in order and whole, and at
// most the one more that was under way; those that were released may be gone, no other.
func TestAnyCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := scratchDir(t)
		sizes, done, last := map[uint64]int{}, uint64(0), uint64(0)
		for range rapid.IntRange(1, 5).Draw(t, "lives") {
			fs := &crashing{left: rapid.IntRange(1, 3000).Draw(t, "work until the crash"), err: errCrash}
			cfg := queue.Config{Dir: dir, SegmentBytes: 300, MaxBytes: 1 << 20, FS: fs, SyncEach: rapid.Bool().Draw(t, "sync")}
			q, err := queue.Open(cfg, done)
			if err != nil {
				if !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				continue
			}
			got := rest(t, q)
			check(t, got, done, last, sizes)
			if n := len(got); n > 0 {
				last = max(last, got[n-1].Number)
			}
			for err == nil {
				if rapid.IntRange(0, 9).Draw(t, "step") == 0 {
					done = rapid.Uint64Range(done, last).Draw(t, "done")
					err = q.Release(done)
					continue
				}
				size := rapid.IntRange(0, 200).Draw(t, "size")
				p := payload(q.Last()+1, size)
				cut := rapid.IntRange(0, size).Draw(t, "cut")
				sizes[q.Last()+1] = size
				var n uint64
				if n, _, err = q.Append(at, p[:cut], p[cut:]); err == nil {
					last = n
				}
				if q.Unread() > 1 && rapid.Bool().Draw(t, "read") {
					if e, ok, err := q.Next(nil); err != nil || !ok || !bytes.Equal(e.Payload, payload(e.Number, sizes[e.Number])) {
						t.Fatalf("reading while appending: %+v, %v, %v", e, ok, err)
					}
				}
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			_ = q.Close()
		}
		q := open(t, queue.Config{Dir: dir, FS: unsynced{}}, done)
		check(t, rest(t, q), done, last, sizes)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// check holds what was read against what was appended.
func check(t *rapid.T, got []queue.Entry, done, last uint64, sizes map[uint64]int) {
	next := done + 1
	for _, e := range got {
		if e.Number != next || !bytes.Equal(e.Payload, payload(e.Number, sizes[e.Number])) || !e.At.Equal(at) {
			t.Fatalf("entry %d is %d with %d bytes", next, e.Number, len(e.Payload))
		}
		next++
	}
	if next <= last {
		t.Fatalf("the entries %d to %d are missing", next, last)
	}
}

// Whatever byte of the files is damaged or cut off, what comes back are the first entries, whole; the damage is told,
// and after it the queue works.
func TestAnyDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := scratchDir(t)
		q := open(t, queue.Config{Dir: dir, SegmentBytes: 400, FS: unsynced{}}, 0)
		n := rapid.IntRange(1, 30).Draw(t, "entries")
		sizes := map[uint64]int{}
		for i := range n {
			number := uint64(i + 1)
			sizes[number] = rapid.IntRange(0, 150).Draw(t, "size")
			if _, _, err := q.Append(at, payload(number, sizes[number])); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.queue1"))
		if err != nil {
			t.Fatal(err)
		}
		file := rapid.SampledFrom(files).Draw(t, "file")
		b, err := os.ReadFile(file)
		if err != nil || len(b) == 0 {
			t.Skip(err)
		}
		where := rapid.IntRange(0, len(b)-1).Draw(t, "where")
		if rapid.Bool().Draw(t, "cut") {
			b = b[:where]
		} else {
			b[where] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		q = open(t, queue.Config{Dir: dir, SegmentBytes: 400, FS: unsynced{}}, 0)
		got := rest(t, q)
		check(t, got, 0, 0, sizes)
		if len(got) < n && q.Problem() == nil && file != files[len(files)-1] {
			t.Errorf("%d of %d entries are there, and nobody was told", len(got), n)
		}
		next := uint64(len(got) + 1)
		sizes[next] = 10
		if number, _, err := q.Append(at, payload(next, 10)); err != nil || number != next {
			t.Fatalf("appending after damage: %d, %v", number, err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, rest(t, open(t, queue.Config{Dir: dir, FS: unsynced{}}, 0)), 0, next, sizes)
	})
}

func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	q, err := queue.Open(queue.Config{Dir: dir, MaxBytes: 1 << 20}, 0)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if _, _, err := q.Append(at, payload(uint64(i), 20*i)); err != nil {
			f.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		f.Fatal(err)
	}
	segment := "00000000000000000001.queue1"
	b, err := os.ReadFile(filepath.Join(dir, segment))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, b)
	f.Fuzz(func(t *testing.T, b, positions []byte) {
		dir := t.TempDir()
		for name, content := range map[string][]byte{segment: b, "positions": positions} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if p, _, _, err := queue.OpenPositions(unsynced{}, dir); err != nil {
			t.Fatal(err)
		} else if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		q := open(t, queue.Config{Dir: dir, FS: unsynced{}}, 0)
		n := uint64(0)
		for ; ; n++ {
			e, ok, err := q.Next(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if e.Number != n+1 {
				t.Fatalf("entry %d is number %d", n+1, e.Number)
			}
		}
		if number, _, err := q.Append(at, []byte("more")); err != nil || number != n+1 {
			t.Fatalf("appending: %d, %v", number, err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A full disk is an error that says so, changes nothing, and passes.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fs := &crashing{left: 500, err: full}
	q := open(t, queue.Config{Dir: dir, FS: fs}, 0)
	var err error
	n := uint64(0)
	for err == nil {
		n++
		_, _, err = q.Append(at, payload(n, 100))
	}
	var disk *queue.DiskError
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &disk) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("a full disk: %v", err)
	}
	if q.Last() != n-1 {
		t.Errorf("the last entry is %d, after %d that were appended", q.Last(), n-1)
	}
	fs.left = math.MaxInt
	if number, _, err := q.Append(at, payload(n, 100)); err != nil || number != n {
		t.Errorf("with space again: %d, %v", number, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, queue.Config{Dir: dir}, 0)
	if q.Problem() != nil || q.Unread() != n {
		t.Errorf("%d entries of %d, %v", q.Unread(), n, q.Problem())
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
}

// The cap is kept, one entry always fits, and done entries make room.
func TestCap(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Config{Dir: t.TempDir(), MaxBytes: 1000, SegmentBytes: 200}, 0)
	if _, _, err := q.Append(at, make([]byte, 5000)); err != nil {
		t.Fatalf("the only entry: %v", err)
	}
	_, _, err := q.Append(at, make([]byte, 10))
	if !errors.Is(err, queue.ErrFull) {
		t.Fatalf("over the cap: %v", err)
	}
	q.Done(q.Bytes())
	for range 8 {
		if _, _, err := q.Append(at, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := q.Append(at, make([]byte, 100)); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("over the cap: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is done with is deleted by whole segments, what was not read or is being appended to stays.
func TestRelease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, queue.Config{Dir: dir, SegmentBytes: 200}, 0)
	files := func() int {
		m, err := filepath.Glob(filepath.Join(dir, "*.queue1"))
		if err != nil {
			t.Fatal(err)
		}
		return len(m)
	}
	for range 10 {
		if _, _, err := q.Append(at, make([]byte, 100)); err != nil { // two in a segment
			t.Fatal(err)
		}
	}
	if err := q.Release(10); err != nil || files() != 5 {
		t.Errorf("unread segments were deleted: %d of 5, %v", files(), err)
	}
	for range 10 {
		if _, _, err := q.Next(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Release(5); err != nil || files() != 3 {
		t.Errorf("%d segments, want 3; %v", files(), err)
	}
	if err := q.Release(10); err != nil || files() != 1 {
		t.Errorf("%d segments, want 1; %v", files(), err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, queue.Config{Dir: dir, SegmentBytes: 200}, 12) // somebody has done more than is here
	if number, bytes, err := q.Append(at, make([]byte, 100)); err != nil || number != 13 {
		t.Errorf("appended %d, %v", number, err)
	} else {
		q.Pass(bytes)
	}
	if q.Unread() != 0 {
		t.Errorf("%d are unread", q.Unread())
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, queue.Config{Dir: dir}, 12)
	if q.Unread() != 1 || q.Last() != 13 || q.Problem() != nil {
		t.Errorf("%d unread, last %d, %v", q.Unread(), q.Last(), q.Problem())
	}
}

// Positions come back as they were noted last; one that was torn is left out and told.
func TestPositions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, held, problem, err := queue.OpenPositions(nil, dir)
	if err != nil || problem != nil || len(held) > 0 {
		t.Fatal(held, problem, err)
	}
	want := []queue.Position{
		{Topic: "im.lifecycle", Partition: 3, Acked: math.MaxUint64, Producer: -1, Epoch: -1, Next: math.MaxInt32, From: 7},
		{Topic: strings.Repeat("t", queue.MaxTopic), Producer: 9},
		{Topic: "im.deadletter", Next: 5},
	}
	for _, at := range want {
		place := p.Add()
		for _, v := range []queue.Position{{Topic: "other"}, at} {
			if err := p.Save(place, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if p.Save(p.Add(), queue.Position{Topic: strings.Repeat("t", queue.MaxTopic+1)}) == nil {
		t.Error("a name that does not fit was taken")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p, held, problem, err = queue.OpenPositions(nil, dir)
	if err != nil || problem != nil || !slices.Equal(held, want) {
		t.Fatalf("%+v, %v, %v", held, problem, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "positions")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[130]++
	if err := os.WriteFile(file, b[:300], 0o600); err != nil {
		t.Fatal(err)
	}
	p, held, problem, err = queue.OpenPositions(nil, dir)
	if err != nil || problem == nil || len(held) != 3 || held[0] != want[0] || held[1] != (queue.Position{}) || held[2] != (queue.Position{}) {
		t.Errorf("%+v, %v, %v", held, problem, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}
