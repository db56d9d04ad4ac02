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
	"pgregory.net/rapid"
)

// world is a log that is written, rotated and tailed: what a rapid machine acts on.
type world struct {
	dir     string
	clock   time.Time
	header  bool // every new file begins with the same line
	n       int  // lines so far
	partial string
	wrote   []string
	got     []string
	tail    *Tail
	saved   map[ID]State
	unacked []State
	pending []string
	rotated int
}

func (w *world) live() string { return filepath.Join(w.dir, "app.log") }

func (w *world) append(s string) {
	f, err := os.OpenFile(w.live(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() == 0 && w.header {
		s = "#header\n" + s
	}
	if _, err := f.WriteString(s); err != nil {
		panic(err)
	}
}

// write adds lines; the last one may stay without its end, which the next write brings.
func (w *world) write(t *rapid.T) {
	var b strings.Builder
	b.WriteString(w.partial)
	w.partial = ""
	for range rapid.IntRange(1, 4).Draw(t, "lines") {
		line := fmt.Sprintf("line %d %s", w.n, strings.Repeat("x", rapid.IntRange(0, 150).Draw(t, "length")))
		w.n++
		w.wrote = append(w.wrote, line)
		b.WriteString(line + "\n")
	}
	s := b.String()
	if cut := rapid.IntRange(0, 20).Draw(t, "cut"); cut > 0 && cut < len(s) && rapid.Bool().Draw(t, "unfinished") {
		w.append(s[:len(s)-cut])
		w.partial = s[len(s)-cut:]
		return
	}
	w.append(s)
}

func (w *world) finish() {
	if w.partial != "" {
		w.append(w.partial)
		w.partial = ""
	}
}

func (w *world) shift() {
	w.rotated++
	for i := w.rotated; i >= 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", w.live(), i), fmt.Sprintf("%s.%d", w.live(), i+1))
	}
}

func (w *world) rename(*rapid.T) {
	w.finish()
	w.shift()
	_ = os.Rename(w.live(), w.live()+".1")
}

// copyTruncate copies in two steps, with a look in between, as a slow copy is seen.
func (w *world) copyTruncate(t *rapid.T) {
	w.finish()
	b, err := os.ReadFile(w.live())
	if err != nil {
		return
	}
	w.shift()
	half := rapid.IntRange(0, len(b)).Draw(t, "half")
	f, err := os.Create(w.live() + ".1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write(b[:half])
	if rapid.Bool().Draw(t, "seen") {
		w.read(t)
	}
	_, _ = f.Write(b[half:])
	_ = f.Close()
	if rapid.Bool().Draw(t, "seen whole") {
		w.read(t)
	}
	if err := os.Truncate(w.live(), 0); err != nil {
		t.Fatal(err)
	}
}

// read lets the tail take some or all of what is there.
func (w *world) read(t *rapid.T) {
	w.tail.Scan()
	for range rapid.IntRange(0, 5).Draw(t, "reads") {
		c, ok := w.tail.Next()
		if !ok {
			return
		}
		w.take(c)
	}
}

func (w *world) take(c Chunk) {
	lines := strings.SplitAfter(strings.TrimSuffix(string(c.Data), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\n")
	}
	w.pending = append(w.pending, lines...)
	w.unacked = append(w.unacked, c.Mark(len(c.Data)))
}

// touch is read without a look at the directory, as after a notification.
func (w *world) touch(t *rapid.T) {
	w.tail.Touch(w.live())
	for range rapid.IntRange(0, 5).Draw(t, "reads") {
		c, ok := w.tail.Next()
		if !ok {
			return
		}
		w.take(c)
	}
}

// ack puts away what was read: it is not read again after a restart.
func (w *world) ack(*rapid.T) {
	for _, l := range w.pending {
		if l != "#header" {
			w.got = append(w.got, l)
		}
	}
	for _, s := range w.unacked {
		w.saved[s.ID()] = s
	}
	w.pending, w.unacked = nil, nil
}

// restart kills the tail: what was not acknowledged is lost to it.
func (w *world) restart(t *rapid.T) {
	if w.tail != nil {
		w.tail.Close()
	}
	w.pending, w.unacked = nil, nil
	states := make([]State, 0, len(w.saved))
	for _, s := range w.saved {
		states = append(states, s)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	var err error
	w.tail, err = New(Options{
		Sources: []Source{{Paths: []string{w.live()}}}, Log: log, Now: func() time.Time { return w.clock },
	}, states)
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) settle(t *rapid.T) {
	for range 3 {
		w.tail.Scan()
		for c, ok := w.tail.Next(); ok; c, ok = w.tail.Next() {
			w.take(c)
		}
	}
	w.ack(t)
}

// Whatever is written, rotated by rename or by copy and truncation, and however often the tail is killed: every line
// is handed out, once, and in order where the first lines of the files differ.
func TestEveryLineOnceInOrder(t *testing.T) {
	t.Parallel()
	for _, header := range []bool{false, true} {
		t.Run(fmt.Sprintf("header=%v", header), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				dir, err := os.MkdirTemp("", "tail") //nolint:usetesting // one for each check, gone with it
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = os.RemoveAll(dir) }()
				w := &world{dir: dir, clock: time.Now(), header: header, saved: map[ID]State{}}
				w.restart(t)
				defer func() { w.tail.Close() }()
				actions := map[string]func(*rapid.T){
					"write": w.write, "write more": w.write, "rename": w.rename, "copy and truncate": w.copyTruncate,
					"read": w.read, "touch": w.touch, "ack": w.ack, "restart": w.restart,
				}
				t.Repeat(actions)
				w.finish()
				w.settle(t)
				if header {
					// Of a new file whose first line says nothing, and of whose second one only a part was seen before
					// it was emptied and written again, nothing tells until the copy is found: the order may suffer.
					slices.Sort(w.wrote)
					slices.Sort(w.got)
				}
				if d := cmp.Diff(w.wrote, w.got); d != "" {
					t.Fatalf("lines differ (-written +got):\n%s", d)
				}
			})
		})
	}
}
