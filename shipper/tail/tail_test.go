package tail

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

type bench struct {
	t     *testing.T
	dir   string
	clock time.Time
	tail  *Tail
	saved map[ID]State
}

func newBench(t *testing.T, patterns ...string) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), clock: time.Now().Add(time.Second), saved: map[ID]State{}}
	b.open(false, patterns...)
	t.Cleanup(func() { b.tail.Close() })
	return b
}

func (b *bench) open(whole bool, patterns ...string) {
	b.t.Helper()
	if b.tail != nil {
		b.tail.Close()
	}
	if len(patterns) == 0 {
		patterns = []string{"app.log"}
	}
	var src Source
	for _, p := range patterns {
		src.Paths = append(src.Paths, filepath.Join(b.dir, p))
	}
	states := make([]State, 0, len(b.saved))
	for _, s := range b.saved {
		states = append(states, s)
	}
	var err error
	b.tail, err = New(Options{Sources: []Source{src}, Whole: whole, Log: quiet(), Now: func() time.Time { return b.clock }}, states)
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		b.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// read scans and takes everything, each chunk as kind, path and data.
func (b *bench) read() []string {
	b.t.Helper()
	b.tail.Scan()
	var out []string
	for c, ok := b.tail.Next(); ok; c, ok = b.tail.Next() {
		name, err := filepath.Rel(b.dir, c.Path)
		b.must(err)
		kind := [...]string{"", "part ", "rest "}[c.Kind]
		out = append(out, fmt.Sprintf("%s%s@%d %s", kind, name, c.Offset, c.Data))
		s := c.Mark(len(c.Data))
		b.saved[s.ID()] = s
	}
	return out
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if d := cmp.Diff(want, b.read()); d != "" {
		b.t.Errorf("chunks (-want +got):\n%s", d)
	}
}

func TestLiveName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"app.log":                            "app.log",
		"app.log.1":                          "app.log",
		"app.log.12":                         "app.log",
		"app.log.2026-11-21":                 "app.log",
		"app.log.20261121T080000.000000000Z": "app.log",
		"app.log-20261121":                   "app.log",
		"app.log-20261121-1700000000":        "app.log",
		"app.log.old":                        "app.log",
		"app-2026-11-21.log":                 "app.log",
		"app-2026-11-21T10-00-00.000.log":    "app.log",
		"app_20261121.log":                   "app.log",
		"node-1.log":                         "node-1.log",
		"app-error.log":                      "app-error.log",
		"app.log.lock":                       "app.log.lock",
		"app.log.1.gz":                       "app.log.1.gz",
		"access":                             "access",
	} {
		if got := liveName(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if !olderName("app.log.10", "app.log.9") || !olderName("app-2026-11-20.log", "app-2026-11-21.log") {
		t.Error("rotated files are not ordered by age")
	}
}

// Rotated files are read before the live one, whatever they are called, and packed ones are left alone.
func TestOldestFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, name := range []string{"app.log.2", "app.log.1", "app.log", "app.log.3.gz", "other.log"} {
		b.write(name, name+"\n")
		b.must(os.Chtimes(b.path(name), time.Time{}, b.clock.Add(time.Duration(i)*time.Second-time.Hour)))
	}
	b.expect("app.log@0 app.log.2\n", "app.log@0 app.log.1\n", "app.log@0 app.log\n")
	b.expect()
}

func TestDatedFilesWithoutALiveName(t *testing.T) {
	t.Parallel()
	b := newBench(t, "app-*.log")
	b.write("app-2026-11-20.log", "old\n")
	b.must(os.Chtimes(b.path("app-2026-11-20.log"), time.Time{}, b.clock.Add(-time.Hour)))
	b.write("app-2026-11-21.log", "new\n")
	b.expect("app-2026-11-20.log@0 old\n", "app-2026-11-21.log@0 new\n")
	b.write("app-2026-11-21.log", "newer\n")
	b.expect("app-2026-11-21.log@4 newer\n")
}

func TestHeldBackUntilTheNewline(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "a")
	b.expect()
	b.write("app.log", "b\nc")
	b.expect("app.log@0 ab\n")
	b.clock = b.clock.Add(time.Hour)
	b.expect() // the live file's last line may be ended at any time
	b.write("app.log", "d\n")
	b.expect("app.log@3 cd\n")
}

// The unfinished end of a file that nobody writes any more is handed out at last, and so is that of a deleted one.
func TestUnterminatedRest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "a\ntorn")
	b.expect("app.log@0 a\n")
	b.must(os.Rename(b.path("app.log"), b.path("app.log.1")))
	b.write("app.log", "b\n")
	b.expect("app.log@0 b\n")
	b.clock = b.clock.Add(time.Minute)
	b.expect("rest app.log@2 torn")
	b.write("app.log", "gone")
	b.expect()
	b.must(os.Remove(b.path("app.log")))
	b.expect()
	b.clock = b.clock.Add(time.Minute)
	b.expect("rest app.log@2 gone")
	b.clock = b.clock.Add(time.Minute)
	b.expect()
}

func TestWholeFilesNeedNoNewline(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "a\nb")
	b.write("app.log.1", "only")
	b.open(true)
	b.expect("app.log@0 only", "app.log@0 a\n", "app.log@2 b")
}

func TestDeletedFileIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "a\n")
	b.tail.Scan()
	b.write("app.log", "b\n")
	b.must(os.Remove(b.path("app.log")))
	b.write("app.log", "c\n")
	b.expect("app.log@0 a\nb\n", "app.log@0 c\n")
}

// A line longer than the memory for it comes in parts, also when the tail is killed between them.
func TestLongLineInParts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := strings.Repeat("x", 2*chunkBytes+1000)
	b.write("app.log", "a\n"+long)
	got, last, line := "", false, int64(0)
	next := func() bool {
		c, ok := b.tail.Next()
		if !ok {
			return false
		}
		if c.Kind == Part {
			got, last, line = got+string(c.Data), c.Last, c.Line
		}
		s := c.Mark(len(c.Data))
		b.saved[s.ID()] = s
		return true
	}
	b.tail.Scan()
	next()
	next()
	b.open(false)
	b.write("app.log", "y\nz\n")
	b.tail.Scan()
	for next() {
		if last {
			break
		}
	}
	if got != long+"y\n" || line != 2 {
		t.Errorf("%d bytes of %d were kept, of the line at %d", len(got), len(long)+2, line)
	}
	b.expect(fmt.Sprintf("app.log@%d z\n", len(long)+4))
}

// A new file on an inode that was used before is a new generation.
func TestInodeReuse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "first\n")
	b.expect("app.log@0 first\n")
	// The same inode, emptied and written with more than it had.
	b.must(os.WriteFile(b.path("app.log"), []byte("second, and longer\n"), 0o600))
	b.expect("app.log@0 second, and longer\n")
	b.open(false)
	b.must(os.WriteFile(b.path("app.log"), []byte("third, while nobody looked at it\n"), 0o600))
	b.expect("app.log@0 third, while nobody looked at it\n")
}

// Two files with the same bytes are one; two that only begin alike are two.
func TestCopies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "#fields\na\n")
	b.write("app.log.1", "#fields\na\n")
	b.write("app.log.2", "#fields\nb\n")
	if got := b.read(); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	b.write("app.log", "c\n")
	b.expect("app.log@10 c\n")
}

func TestForgets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "a\n")
	b.read()
	b.must(os.Remove(b.path("app.log")))
	b.clock = b.clock.Add(time.Hour)
	b.read()
	if f := b.tail.Forgotten(); len(f) > 0 {
		t.Errorf("forgot %v after an hour", f)
	}
	b.clock = b.clock.Add(24 * time.Hour)
	b.read()
	if f := b.tail.Forgotten(); len(f) != 1 || len(b.tail.Files()) != 0 {
		t.Errorf("forgot %v, remembers %v", f, b.tail.Files())
	}
}

// A log is said to be read to its end only when it is.
func TestEndAt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("app.log", "a\n")
	b.tail.Scan()
	if f := b.tail.Files(); !f[0].EndAt.IsZero() || !f[0].Present {
		t.Errorf("%+v", f)
	}
	b.read()
	if f := b.tail.Files(); !f[0].EndAt.Equal(b.clock) {
		t.Errorf("%+v", f)
	}
	was := b.clock
	b.clock = b.clock.Add(time.Second)
	b.write("app.log", "b\n")
	if b.tail.Touch(b.path("app.log")) {
		t.Error("a write to the live file needs no look at the directory")
	}
	for _, ok := b.tail.Next(); ok; _, ok = b.tail.Next() {
	}
	if f := b.tail.Files(); !f[0].EndAt.Equal(was) {
		t.Errorf("nothing has looked whether the log was rotated since %v: %+v", was, f)
	}
	if b.tail.Touch(b.path("unrelated.log")) {
		t.Error("a write to another log needs no look at the directory")
	}
}

// What cannot be looked at has no end: its lines may be there.
func TestUnreadableDirectoryIsNoEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sub/app.log")
	b.must(os.Mkdir(b.path("sub"), 0o700))
	b.write("sub/app.log", "a\n")
	b.expect("sub/app.log@0 a\n")
	was := b.clock
	b.must(os.Rename(b.path("sub"), b.path("away")))
	b.must(os.Symlink(b.path("sub"), b.path("sub"))) // a loop, which cannot be listed, not even by root
	b.clock = b.clock.Add(time.Second)
	b.read()
	if f := b.tail.Files(); !f[0].EndAt.Equal(was) {
		t.Errorf("%+v", f)
	}
	b.must(os.Remove(b.path("sub")))
	b.must(os.Rename(b.path("away"), b.path("sub")))
	b.write("sub/app.log", "b\n")
	b.expect("sub/app.log@2 b\n")
	if f := b.tail.Files(); !f[0].EndAt.Equal(b.clock) {
		t.Errorf("%+v", f)
	}
}

func TestBadPattern(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Sources: []Source{{Paths: []string{"[a"}}}, Log: quiet()}, nil); err == nil {
		t.Error("a broken pattern is taken")
	}
}

func TestWatcherTellsOfWritesAndMoves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := w.Add(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "app.log")
	await := func(ok func(written []string, moved bool) bool) {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for {
			select {
			case <-w.Wake():
			case <-deadline:
				t.Fatal("nothing was told")
			}
			written, moved := w.Take()
			var names []string
			for name := range written {
				names = append(names, name)
			}
			if ok(names, moved) {
				return
			}
		}
	}
	if err := os.WriteFile(path, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(func(_ []string, moved bool) bool { return moved })
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("b\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	await(func(written []string, _ bool) bool { return slices.Contains(written, path) })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	await(func(_ []string, moved bool) bool { return moved })
}

// A rotated file that was packed before it was read to its end is read on where reading stopped, and never again.
func TestPackedRotationIsReadOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := strings.Repeat("0123456789abcdef\n", 3*chunkBytes/17)
	b.write("app.log", "first\n"+long)
	b.tail.Scan()
	c, ok := b.tail.Next()
	if !ok || c.Offset != 0 {
		t.Fatalf("%+v", c)
	}
	s := c.Mark(len("first\n") + 17*100)
	b.saved[s.ID()] = s
	b.tail.Close()
	b.pack("app.log", "app.log.1.gz")
	b.write("app.log", "second\n")
	b.open(false)
	rest, got := long[17*100:], ""
	b.tail.Scan()
	for c, ok := b.tail.Next(); ok; c, ok = b.tail.Next() {
		if want := int64(len("first\n") + 17*100 + len(got)); got != rest && c.Offset != want {
			t.Fatalf("read on at %d, not at %d", c.Offset, want)
		}
		got += string(c.Data)
		s := c.Mark(len(c.Data))
		b.saved[s.ID()] = s
	}
	if got != rest+"second\n" {
		t.Fatalf("%d bytes were read, not %d", len(got), len(rest)+len("second\n"))
	}
	b.must(os.Rename(b.path("app.log.1.gz"), b.path("app.log.2.gz")))
	b.expect()
	b.open(false)
	b.expect()
	b.pack("app.log", "app.log.1.gz")
	b.expect()
	b.write("app.log", "third\n")
	b.expect("app.log@0 third\n")
	b.open(false)
	b.expect()
	for _, x := range b.tail.order[0].files {
		if x.packed && x.f != nil {
			t.Errorf("%s stays open", x.path)
		}
	}
}

// What was never seen before is read from packed files too, the oldest first, and from one that is still being made
// as soon as it is there.
func TestPackedFilesNeverSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, name := range []string{"app.log.3", "app.log.2", "app.log.1", "app.log"} {
		b.write(name, name+"\n")
		b.must(os.Chtimes(b.path(name), time.Time{}, b.clock.Add(time.Duration(i)*time.Second-time.Hour)))
	}
	b.pack("app.log.2", "app.log.2.gz") // now it is the youngest
	b.pack("app.log.3", "app.log.3.gz")
	b.expect("app.log@0 app.log.3\n", "app.log@0 app.log.2\n", "app.log@0 app.log.1\n", "app.log@0 app.log\n")
	packed := pack(t, []byte("late\nlater\n"))
	b.must(os.WriteFile(b.path("app.log.4.gz"), packed[:len(packed)-6], 0o600))
	b.read()
	b.must(os.WriteFile(b.path("app.log.4.gz"), packed, 0o600))
	b.read()
	b.expect()
}

// A packed file that is damaged gives what can be had of it, and ends.
func TestDamagedPackedFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	packed := pack(t, []byte("whole\ntorn by a full disk\n"))
	b.must(os.WriteFile(b.path("app.log.1.gz"), packed[:len(packed)-14], 0o600))
	b.expect("app.log@0 whole\n")
	b.clock = b.clock.Add(time.Minute)
	if got := b.read(); len(got) != 1 || !strings.HasPrefix(got[0], "rest app.log@6 torn by") {
		t.Errorf("%q", got)
	}
	b.clock = b.clock.Add(time.Minute)
	b.expect()
	if x := b.tail.order[0].files[0]; x.f != nil {
		t.Error("it stays open")
	}
}

// pack makes a gzip file of one and removes that, as gzip does.
func (b *bench) pack(from, to string) {
	b.t.Helper()
	text, err := os.ReadFile(b.path(from))
	b.must(err)
	b.must(os.WriteFile(b.path(to), pack(b.t, text), 0o600))
	b.must(os.Remove(b.path(from)))
}

// A log that is truncated under a writer that goes on where it was begins with bytes 0. Nobody wrote them.
func TestZerosInFrontOfLines(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	line := strings.Repeat("before\n", chunkBytes/3)
	b.write("app.log", line)
	b.read()
	f, err := os.OpenFile(b.path("app.log"), os.O_WRONLY, 0)
	b.must(err)
	defer func() { _ = f.Close() }()
	b.must(f.Truncate(0))
	_, err = f.WriteAt([]byte("after\n"), int64(len(line)))
	b.must(err)
	next := func() (zeros int, lines string) {
		b.tail.Scan()
		for c, ok := b.tail.Next(); ok; c, ok = b.tail.Next() {
			if c.Kind == Zeros {
				zeros += len(c.Data)
			} else {
				lines += string(c.Data)
			}
			s := c.Mark(len(c.Data))
			b.saved[s.ID()] = s
		}
		return zeros, lines
	}
	if zeros, lines := next(); zeros != len(line) || lines != "after\n" {
		t.Errorf("%d bytes 0, and %q", zeros, lines)
	}
	b.open(false)
	b.write("app.log", "more\n\x00\x00\x00")
	if zeros, lines := next(); zeros != 0 || lines != "more\n" {
		t.Errorf("%d bytes 0, and %q: something may still come in their place", zeros, lines)
	}
	b.write("app.log", "\x00end\n")
	if zeros, lines := next(); zeros != 4 || lines != "end\n" {
		t.Errorf("%d bytes 0, and %q", zeros, lines)
	}
}

// Lines that belong together are handed out together: when something else begins, when nothing has come for a while,
// or when the log goes on elsewhere.
func TestLinesThatBelongTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tail.opts.Sources[0].Cut = func(lines []byte, last bool) int { return together.Cut(string(lines), last) }
	b.write("app.log", "a\n\t1\nb\n")
	b.expect("app.log@0 a\n\t1\n")
	b.write("app.log", "\t2\n")
	b.expect()
	b.clock = b.clock.Add(6 * time.Second)
	b.expect("app.log@5 b\n\t2\n")
	b.write("app.log", "c\n\t3")
	b.expect()
	b.write("app.log", "\n")
	b.must(os.Rename(b.path("app.log"), b.path("app.log.1")))
	b.write("app.log", "d\n")
	b.expect("app.log@10 c\n\t3\n", "app.log@0 d\n") // by the clock of this test d has waited long enough too
}
