package ops

import (
	"sync"
	"sync/atomic"
	"time"
)

// Frame is one frame of a connection that is followed: what it is and how large, never what it says.
type Frame struct {
	At    time.Time `json:"at"`
	Conn  string    `json:"conn"`
	User  string    `json:"user"`
	Dir   string    `json:"dir"`  // in, out, or end: the connection is over
	Type  string    `json:"type"` // of the envelope or the control frame; of an end its reason
	Bytes int       `json:"bytes"`
	Queue int       `json:"queue_bytes"` // what waits to be sent to the client then
}

// The directions of a frame.
const (
	DirIn  = "in"
	DirOut = "out"
	DirEnd = "end"
)

// Traces are those who follow frames. The zero Traces is ready. Safe for concurrent use.
type Traces struct {
	on atomic.Int32 // how many follow; 0 costs a connection nothing but this look

	mu     sync.RWMutex // guards the fields below
	traces map[*follow]struct{}
	closed bool
}

// follow is one who follows a connection, or all of a user.
type follow struct {
	conn, user string // one of them
	frames     chan Frame
	dropped    atomic.Int64 // frames that it was too slow for
	stop       chan struct{}
}

// followed is how many frames wait for one who follows before further ones are dropped and counted.
const followed = 1024

// On says whether anybody follows anything: whether Frame is worth calling.
func (t *Traces) On() bool { return t.on.Load() > 0 }

// Frame tells those who follow the frame's connection or user. It never blocks.
func (t *Traces) Frame(f Frame) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for w := range t.traces {
		if w.conn != f.Conn && (w.user == "" || w.user != f.User) {
			continue
		}
		select {
		case w.frames <- f:
		default:
			w.dropped.Add(1)
		}
	}
}

// begin follows a connection, or all of a user. It gives nil after Close.
func (t *Traces) begin(conn, user string) *follow {
	w := &follow{conn: conn, user: user, frames: make(chan Frame, followed), stop: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	if t.traces == nil {
		t.traces = map[*follow]struct{}{}
	}
	t.traces[w] = struct{}{}
	t.on.Add(1)
	return w
}

func (t *Traces) end(w *follow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.traces, w)
	t.on.Add(-1)
}

// Close ends all that follow, and lets nobody follow any more.
func (t *Traces) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	for w := range t.traces {
		close(w.stop)
	}
}

// run hands frames to take until the time is over, the one connection that is followed ends, take fails, done is closed
// or Close is called, and says which.
func (w *follow) run(done <-chan struct{}, length time.Duration, take func(Frame) error) (why string) {
	over := time.NewTimer(length)
	defer over.Stop()
	for {
		select {
		case f := <-w.frames:
			if take(f) != nil {
				return "the caller is gone"
			}
			if f.Dir == DirEnd && w.conn != "" {
				return "the connection ended"
			}
		case <-over.C:
			return "the time is over"
		case <-done:
			return "the caller is gone"
		case <-w.stop:
			return "the server stops"
		}
	}
}
