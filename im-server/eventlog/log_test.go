package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"imwatch/event"
)

// testDeps are those of a log that nobody reads the diagnostics of.
func testDeps(boot string) Deps {
	diag := logrus.New()
	diag.SetOutput(io.Discard)
	return Deps{Node: "im-test", Boot: boot, Stdout: io.Discard, Diag: diag, Now: time.Now}
}

// openTest opens a log and runs it until stop is called or the test ends.
func openTest(tb testing.TB, c Config) (l *Log, stop func()) {
	tb.Helper()
	l, err := Open(c, testDeps("b00t"))
	if err != nil {
		tb.Fatal(err)
	}
	stop = runUntilStopped(tb, l)
	tb.Cleanup(stop)
	return l, stop
}

func runUntilStopped(tb testing.TB, l *Log) (stop func()) {
	tb.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	go func() { l.Run(ended); close(done) }()
	return sync.OnceFunc(func() {
		l.Seal()
		close(ended)
		<-done
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
	})
}

// readAll decodes the log's files, oldest first.
func readAll(tb testing.TB, path string) (list []*event.Event) {
	tb.Helper()
	names, err := Files(path)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			tb.Fatal(err)
		}
		for text := range bytes.Lines(b) {
			ev := new(event.Event)
			if event.Decode(bytes.TrimSuffix(text, []byte("\n")), ev) == nil {
				list = append(list, ev)
			}
		}
	}
	return list
}

// line is an event that carries text.
func line(ev *event.Event, text string) *event.Event {
	ev.Begin(event.ActionResume, time.Now())
	ev.SetText(event.FieldUserID, text)
	return ev
}

// TestRotationLosesNoLine lets many writers write while the file is rotated by size, renamed by somebody else and reopened,
// and wants every line once, whole, and in the order of ids.
func TestRotationLosesNoLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		writers := rapid.IntRange(1, 8).Draw(rt, "writers")
		lines := rapid.IntRange(1, 300).Draw(rt, "lines")
		path := filepath.Join(t.TempDir(), "im-server.log")
		c := Config{MaxBytes: rapid.Int64Range(1<<10, 1<<16).Draw(rt, "max"), MaxAge: rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Hour}).Draw(rt, "age"), Queue: 1 << 20, Path: path}
		l, stop := openTest(t, c)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range lines {
					if !l.Put(line(l.Event(), fmt.Sprintf("%d-%d", w, i))) {
						t.Error("a line was dropped")
					}
				}
			})
		}
		for i := range rapid.IntRange(0, 5).Draw(rt, "renames") {
			// Somebody else's logrotate: a name that sorts after ours of this moment is not needed, ids tell the order.
			if err := os.Rename(path, fmt.Sprintf("%s.%s", path, time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC).Format(rotatedStamp))); err != nil && !errors.Is(err, os.ErrNotExist) {
				rt.Fatal(err)
			}
			l.Reopen()
		}
		wg.Wait()
		stop()
		checkLines(rt, path, writers*lines)
	})
}

func checkLines(t *rapid.T, path string, wanted int) {
	t.Helper()
	names, err := rotatedFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	users, ids := map[string]bool{}, map[string]bool{}
	for _, name := range append(names, path) {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for text := range bytes.Lines(b) {
			var ev event.Event
			if err := event.Decode(bytes.TrimSuffix(text, []byte("\n")), &ev); err != nil {
				t.Fatalf("%s: %q: %v", name, text, err)
			}
			if ev.ID() <= last {
				t.Fatalf("%s: id %s after %s", name, ev.ID(), last)
			}
			last = ev.ID()
			users[ev.Text(event.FieldUserID)], ids[ev.ID()] = true, true
		}
	}
	if len(users) != wanted || len(ids) != wanted {
		t.Fatalf("%d lines with %d ids, want %d", len(users), len(ids), wanted)
	}
}

func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "im-server.log")
	write(t, beside(path, ".conns"), "not a log")
	var c atomic.Pointer[Config]
	c.Store(&Config{MaxBytes: 1 << 10, MaxAge: time.Hour, Keep: 3})
	file, err := openFile(path, &c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 20 {
		if file.due(1000) {
			if err := file.rotate(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := file.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := rotatedFiles(path)
	if err != nil || len(names) != 3 {
		t.Errorf("%d renamed files are kept, %v", len(names), err)
	}
	if !exists(beside(path, ".conns")) {
		t.Error("the ledger was removed")
	}
}

// TestLogOutlivesALostDirectory takes the directory away: rotation fails, and lines still go to the file that is open.
func TestLogOutlivesALostDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "im-server.log")
	l, stop := openTest(t, Config{MaxBytes: 1 << 10, MaxAge: time.Hour, Queue: 1000, Path: path})
	l.Put(line(l.Event(), "before"))
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		l.Put(line(l.Event(), fmt.Sprintf("during-%d", i)))
	}
	stop()
	var all []byte
	for _, d := range []string{dir, dir + ".away"} {
		names, _ := filepath.Glob(filepath.Join(d, "im-server.log*")) // the pattern is good
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
	}
	if n := bytes.Count(all, []byte("\n")); n != 21 {
		t.Errorf("%d of 21 lines are in the log", n)
	}
}

func TestFullQueueDropsAndKeepsPairs(t *testing.T) {
	t.Parallel()
	q := newQueue("im-test-b00t-", 3)
	open := func(id string) bool {
		return q.put(queued{ev: line(q.event(), id), open: &Record{ID: id}})
	}
	end := func(id string) bool {
		return q.put(queued{ev: line(q.event(), id), close: id})
	}
	if !open("c-1") || !q.put(queued{ev: line(q.event(), "x")}) || !open("c-2") {
		t.Fatal("the queue is full too early")
	}
	if open("c-3") || q.put(queued{ev: line(q.event(), "y")}) {
		t.Error("a full queue took more")
	}
	if !end("c-1") || !end("c-2") {
		t.Error("an end was dropped: its connection has a start in the log")
	}
	if q.drops() != 2 {
		t.Errorf("%d drops", q.drops())
	}
	items, seq := q.take(nil)
	if len(items) != 5 || seq != 5 || items[4].ev.ID() != "im-test-b00t-0000000005" {
		t.Errorf("%d items up to %d", len(items), seq)
	}
	q.close()
	if q.put(queued{ev: line(q.event(), "z")}) {
		t.Error("a closed queue took an event")
	}
}

func TestFormatterRefusesOtherEntries(t *testing.T) {
	t.Parallel()
	if b, err := new(formatter).Format(logrus.NewEntry(logrus.New())); err == nil {
		t.Errorf("an entry without an event became %q", b)
	}
}

func TestEventIDsSort(t *testing.T) {
	t.Parallel()
	last := ""
	for _, n := range []uint64{0, 1, 9, 10, 99_999, 1_000_000_000, 9_999_999_999, 10_000_000_000} {
		id := eventID("im-", n)
		if id != fmt.Sprintf("im-%010d", n) {
			t.Errorf("%d became %s", n, id)
		}
		if len(id) == len("im-")+seqDigits && id <= last {
			t.Errorf("%s does not sort after %s", id, last)
		}
		last = id
	}
	if a, b := BootID(time.UnixMilli(1_763_719_200_999)), BootID(time.UnixMilli(1_763_719_201_000)); a >= b {
		t.Errorf("boot %s does not sort before %s", a, b)
	}
}

// TestFormatterAllocatesNothing compares with logrus and a formatter that does nothing.
func TestFormatterAllocatesNothing(t *testing.T) {
	ev := new(event.Event)
	fillEnd(ev, at)
	l, err := Open(Config{Queue: 1}, testDeps("b00t"))
	if err != nil {
		t.Fatal(err)
	}
	idle := &logrus.Logger{Out: io.Discard, Formatter: nothing{}, Hooks: logrus.LevelHooks{}, Level: logrus.TraceLevel}
	entry := logrus.Entry{Logger: idle, Context: t.Context()}
	bare := testing.AllocsPerRun(100, func() {
		entry.Time = ev.Time()
		entry.Log(logrus.InfoLevel, ev.Text(event.FieldMessage))
	})
	ours := testing.AllocsPerRun(100, func() {
		l.format(ev)
		l.buf = l.buf[:0]
	})
	if ours > bare {
		t.Errorf("a line makes %v allocations, logrus alone %v", ours, bare)
	}
}

// nothing is the cheapest formatter.
type nothing struct{}

func (nothing) Format(*logrus.Entry) ([]byte, error) { return nil, nil }
