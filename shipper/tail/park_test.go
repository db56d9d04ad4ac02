package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// descriptors is how many the process has, where the system tells.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("%s does not tell of descriptors", runtime.GOOS)
	}
	return len(entries)
}

// Ten thousand logs that nobody writes to cost no descriptors, and each is read on when it grows; a thousand of them at
// a time too, in any order of growth.
func TestIdleFilesAreClosed(t *testing.T) {
	const files, allowed = 10_000, 50
	dir, clock := t.TempDir(), time.Now()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprintf("app%d.log", i)) }
	for i := range files {
		if err := os.WriteFile(path(i), fmt.Appendf(nil, "line 0 of log %d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x, err := New(Options{
		Sources: []Source{{Paths: []string{filepath.Join(dir, "*.log")}}}, Log: quiet(), Now: func() time.Time { return clock },
		CloseIdle: time.Minute, OpenFiles: allowed,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	before := descriptors(t)
	read := func(what string) (lines int) {
		for c, ok := x.Next(); ok; c, ok = x.Next() {
			lines++
			if n := x.Open(); n > allowed {
				t.Fatalf("%s: %d files are open", what, n)
			}
			_ = c
		}
		if n := descriptors(t) - before; n > allowed+5 {
			t.Fatalf("%s: %d more descriptors", what, n)
		}
		return lines
	}
	x.Scan()
	if n := read("at first"); n != files {
		t.Fatalf("%d files were read", n)
	}
	clock = clock.Add(2 * time.Minute)
	x.Scan()
	if n := read("idle"); n != 0 || x.Open() != 0 {
		t.Fatalf("%d more lines, %d files are open", n, x.Open())
	}
	grow := func(from, to, step int) {
		for i := from; i < to; i += step {
			f, err := os.OpenFile(path(i), os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("one more\n"); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	grow(0, files, 10)
	for i := 0; i < files; i += 10 {
		if x.Touch(path(i)) {
			t.Fatalf("%s needs a look at the directory", path(i))
		}
	}
	if n := read("told of"); n != files/10 {
		t.Errorf("%d lines of those that were told of", n)
	}
	grow(5, files, 10)
	clock = clock.Add(time.Second)
	x.Scan()
	if n := read("found"); n != files/10 {
		t.Errorf("%d lines of those that were found", n)
	}
}

// A file that was closed goes on wherever it is when it is wanted again.
func TestParkedFileMoves(t *testing.T) {
	dir, clock := t.TempDir(), time.Now()
	live := filepath.Join(dir, "app.log")
	x, err := New(Options{
		Sources: []Source{{Paths: []string{live}}}, Log: quiet(), Now: func() time.Time { return clock }, CloseIdle: time.Second,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	write := func(path, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what, want string) {
		t.Helper()
		got := ""
		for c, ok := x.Next(); ok; c, ok = x.Next() {
			got += string(c.Data)
		}
		if got != want {
			t.Errorf("%s: read %q, expected %q", what, got, want)
		}
	}
	park := func() {
		t.Helper()
		x.Scan() // notices the last change
		clock = clock.Add(10 * time.Second)
		x.Scan()
		expect("idle", "")
		if x.Open() != 0 {
			t.Fatal("it is still open")
		}
	}
	write(live, "one\n")
	x.Scan()
	expect("at first", "one\n")
	park()
	write(live, "two\n")
	if err := os.Rename(live, live+".1"); err != nil {
		t.Fatal(err)
	}
	x.Touch(live)
	write(live, "three\n")
	x.Scan()
	expect("renamed", "two\nthree\n")
	park()
	if err := os.Truncate(live, 0); err != nil {
		t.Fatal(err)
	}
	write(live, "another, and longer than before\n")
	x.Touch(live)
	expect("truncated", "another, and longer than before\n")
	park()
	if err := os.Remove(live); err != nil {
		t.Fatal(err)
	}
	x.Touch(live)
	expect("deleted", "")
	write(live, "new\n")
	x.Scan()
	expect("made anew", "new\n")
}
