package shipcrash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imwatch/event"
)

// The log's traffic.
const (
	linesPerSecond = 5000
	rotateEvery    = 2 * time.Second
	keptRotations  = 90
)

// writer writes a log and rotates it. Without truncating it renames it.
type writer struct {
	t         *testing.T
	path      string
	node      string
	truncates bool // copies it and empties it instead of renaming it
	rotations int
	n         int
	end       chan struct{}
	ended     sync.WaitGroup
}

func newWriter(t *testing.T, path, node string) *writer {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	return &writer{t: t, path: path, node: node, end: make(chan struct{})}
}

func (w *writer) start() { w.ended.Go(w.run) }

// stop ends the writing and gives the number of lines.
func (w *writer) stop() int {
	close(w.end)
	w.ended.Wait()
	return w.n
}

func (w *writer) run() {
	const slice = 10 * time.Millisecond
	tick, began := time.NewTicker(slice), time.Now()
	defer tick.Stop()
	rotated := began
	for {
		select {
		case <-w.end:
			return
		case <-tick.C:
		}
		if err := w.write(int(time.Since(began).Seconds() * linesPerSecond)); err != nil {
			w.t.Error(err)
			return
		}
		if time.Since(rotated) >= rotateEvery {
			rotated = time.Now()
			if err := w.rotate(); err != nil {
				w.t.Error(err)
				return
			}
		}
	}
}

// write appends lines until there are as many as by then are due; a second's worth at most.
func (w *writer) write(due int) error {
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var b []byte
	for due = min(due, w.n+linesPerSecond); w.n < due; w.n++ {
		b = append(line(w.node, w.n).AppendJSON(b), '\n')
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

func (w *writer) rotate() error {
	w.rotations++
	rotated := func(i int) string { return fmt.Sprintf("%s.%d", w.path, i) }
	for i := keptRotations; i >= 1; i-- {
		if err := os.Rename(rotated(i), rotated(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if !w.truncates {
		return os.Rename(w.path, rotated(1))
	}
	b, err := os.ReadFile(w.path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(rotated(1), b, 0o600); err != nil {
		return err
	}
	return os.Truncate(w.path, 0)
}

// line is the nth line, of some 600 bytes.
func line(node string, n int) *event.Event {
	var e event.Event
	e.Begin(event.ActionHTTPRequest, time.Now())
	e.SetText(event.FieldEventID, fmt.Sprintf("%s-boot-%010d", node, n))
	e.SetText(event.FieldServiceNode, node)
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%5000))
	e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", n))
	e.SetText(event.FieldTraceID, fmt.Sprintf("%032x", n+1))
	e.SetText(event.FieldClientIP, fmt.Sprintf("192.0.2.%d", n%250))
	e.SetText(event.FieldURLPath, "/"+strings.Repeat("path/", 20))
	e.SetInt(event.FieldHTTPStatus, 200)
	return &e
}
