package tail

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"imwatch/shipper/multiline"
)

// world is a log that is written, rotated and tailed: what a rapid machine acts on.
type world struct {
	t       *testing.T
	dir     string
	clock   time.Time
	header  bool // every new file begins with the same line
	multi   bool // lines belong together: those that begin with a tab to the one before
	packs   bool // rotated files are packed
	idle    time.Duration
	open    int
	n       int // lines so far
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
		if w.multi {
			line += strings.Repeat("\n\tat", rapid.IntRange(0, 4).Draw(t, "more"))
		}
		w.n++
		w.wrote = append(w.wrote, line)
		b.WriteString(line + "\n")
	}
	s := b.String()
	if cut := rapid.IntRange(0, 40).Draw(t, "cut"); cut > 0 && cut < len(s) && rapid.Bool().Draw(t, "unfinished") {
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
		for _, ext := range []string{"", ".gz"} {
			_ = os.Rename(fmt.Sprintf("%s.%d%s", w.live(), i, ext), fmt.Sprintf("%s.%d%s", w.live(), i+1, ext))
		}
	}
}

// gzip packs a rotated file in two steps, with a look in between, and removes it then.
func (w *world) gzip(t *rapid.T) {
	if !w.packs || w.rotated == 0 {
		return
	}
	plain := fmt.Sprintf("%s.%d", w.live(), rapid.IntRange(1, w.rotated).Draw(t, "which"))
	b, err := os.ReadFile(plain)
	if err != nil {
		return
	}
	b = pack(w.t, b)
	half := rapid.IntRange(0, len(b)).Draw(t, "half")
	for _, part := range [][]byte{b[:half], b[half:]} {
		f, err := os.OpenFile(plain+".gz", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(part)
		_ = f.Close()
		if rapid.Bool().Draw(t, "seen") {
			w.read(t)
		}
	}
	_ = os.Remove(plain)
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
	for text := string(c.Data); text != ""; {
		n := strings.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		if w.multi {
			n = together.Next(text, true)
		}
		w.pending = append(w.pending, strings.TrimSuffix(text[:n], "\n"))
		text = text[n:]
	}
	w.unacked = append(w.unacked, c.Mark(len(c.Data)))
}

// wait lets time go by, so that files that do not grow are closed.
func (w *world) wait(t *rapid.T) {
	w.clock = w.clock.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "ms")) * time.Millisecond)
	w.read(t)
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
	src := Source{Paths: []string{w.live()}}
	if w.multi {
		src.Cut = func(lines []byte, last bool) int { return together.Cut(string(lines), last) }
	}
	var err error
	w.tail, err = New(Options{
		Sources: []Source{src}, Log: log, Now: func() time.Time { return w.clock }, CloseIdle: w.idle, OpenFiles: w.open,
	}, states)
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) settle(t *rapid.T) {
	for range 3 {
		w.clock = w.clock.Add(6 * time.Second) // lines that may belong together wait no longer
		w.tail.Scan()
		for c, ok := w.tail.Next(); ok; c, ok = w.tail.Next() {
			w.take(c)
		}
	}
	w.ack(t)
}

// together is the rule of a world in which lines belong together.
var together = &multiline.Rule{Continue: regexp.MustCompile("^\t"), MaxLines: 4, MaxBytes: 1000}

// Whatever is written, rotated by rename or by copy and truncation, packed or not, and however often the tail is
// killed: every line is handed out, once, and in order where the first lines of the files differ.
func TestEveryLineOnceInOrder(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		header, multi, packs := i&1 != 0, i&2 != 0, i&4 != 0
		t.Run(fmt.Sprintf("header=%v,multi=%v,gzip=%v", header, multi, packs), func(t *testing.T) {
			t.Parallel()
			outer := t
			rapid.Check(t, func(t *rapid.T) {
				dir, err := os.MkdirTemp("", "tail") //nolint:usetesting // one for each check, gone with it
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = os.RemoveAll(dir) }()
				w := &world{dir: dir, clock: time.Now(), t: outer, header: header, multi: multi, packs: packs, saved: map[ID]State{}}
				w.idle = time.Duration(rapid.IntRange(0, 10).Draw(t, "idle")) * time.Millisecond
				w.open = rapid.IntRange(0, 3).Draw(t, "open")
				w.restart(t)
				defer func() { w.tail.Close() }()
				actions := map[string]func(*rapid.T){
					"write": w.write, "write more": w.write, "rename": w.rename, "copy and truncate": w.copyTruncate,
					"read": w.read, "touch": w.touch, "ack": w.ack, "restart": w.restart, "gzip": w.gzip, "wait": w.wait,
				}
				t.Repeat(actions)
				w.finish()
				w.settle(t)
				if multi {
					w.wrote = split(w.wrote)
				}
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

// split applies the limits of the rule to what was written.
func split(wrote []string) []string {
	var out []string
	for _, w := range wrote {
		for w += "\n"; w != ""; {
			n := together.Next(w, true)
			out = append(out, w[:n-1])
			w = w[n:]
		}
	}
	return out
}
