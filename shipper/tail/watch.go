package tail

import (
	"fmt"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// Watcher tells at once when files change, where the system can (inotify and its kin). Safe for concurrent use.
// Close it.
type Watcher struct {
	w    *fsnotify.Watcher
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex // guards the fields below
	written map[string]struct{}
	moved   bool
}

// Watch begins to watch; which directories is told by Add.
func Watch() (*Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching for changes: %w", err)
	}
	x := &Watcher{w: w, wake: make(chan struct{}, 1), done: make(chan struct{}), written: map[string]struct{}{}}
	go x.run()
	return x, nil
}

// Add watches one more directory. Repeating it is harmless.
func (x *Watcher) Add(dir string) error {
	if err := x.w.Add(dir); err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	return nil
}

// Wake is sent to when Take has something.
func (x *Watcher) Wake() <-chan struct{} { return x.wake }

// Take gives what happened since the last call: the files written to, and whether files came, went or were renamed.
func (x *Watcher) Take() (written map[string]struct{}, moved bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	written, moved = x.written, x.moved
	x.written, x.moved = map[string]struct{}{}, false
	return written, moved
}

// Close ends the watching and waits for it.
func (x *Watcher) Close() error {
	err := x.w.Close()
	<-x.done
	if err != nil {
		return fmt.Errorf("closing the watcher: %w", err)
	}
	return nil
}

func (x *Watcher) run() {
	defer close(x.done)
	for {
		select {
		case e, ok := <-x.w.Events:
			if !ok {
				return
			}
			x.note(e)
		case _, ok := <-x.w.Errors:
			if !ok {
				return
			}
			x.note(fsnotify.Event{Op: fsnotify.Create}) // events were lost: look at everything
		}
		select {
		case x.wake <- struct{}{}:
		default:
		}
	}
}

func (x *Watcher) note(e fsnotify.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.Op&(fsnotify.Create|fsnotify.Rename|fsnotify.Remove) != 0 {
		x.moved = true
		return
	}
	if e.Has(fsnotify.Write) {
		x.written[e.Name] = struct{}{}
	}
}
