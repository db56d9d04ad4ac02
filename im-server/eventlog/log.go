package eventlog

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
)

// Deps are the things a log is given; all are needed.
type Deps struct {
	Node   string             // name of the node, in ids
	Boot   string             // this life of the node, in ids: BootID
	Stdout io.Writer          // where events go if Config.Stdout is set
	Diag   logrus.FieldLogger // says what fails
	Now    func() time.Time
	Began  func(Record) // told of each connection whose start was written, by the log's goroutine; nil: nobody
}

// Log is the event log of a node. Make it with Open; run Recover, then Run; Close it after Run has returned. Event, Put,
// Begin, End, Reopen, Lease, Seal and Dropped are safe for concurrent use.
type Log struct {
	cfg     atomic.Pointer[Config]
	deps    Deps
	queue   *queue
	sampler *sampler
	metrics *metrics
	reopen  chan struct{} // asks for a new open of the file
	leased  chan struct{} // asks for a mark in the ledger
	lease   atomic.Int64  // its end, nanoseconds since 1970; 0: there is none
	payMu   sync.Mutex    // guards pay
	pay     []string      // earlier boots, to be noted in the ledger
	lock    io.Closer     // nil: none
	writer
}

// Open locks the log's file against other servers and opens it.
func Open(c Config, d Deps) (*Log, error) {
	l := &Log{
		deps: d, queue: newQueue(d.Node+"-"+d.Boot+"-", c.Queue), sampler: newSampler(), metrics: newMetrics(), reopen: make(chan struct{}, 1),
		leased: make(chan struct{}, 1),
	}
	l.cfg.Store(&c)
	l.initWriter()
	if c.Stdout {
		l.stdout = d.Stdout
	}
	if c.Path == "" {
		return l, nil
	}
	lock, err := lockFile(beside(c.Path, ".lock"))
	if err != nil {
		return nil, fmt.Errorf("log.path: %w", err)
	}
	l.lock = lock
	if l.file, err = openFile(c.Path, &l.cfg, d.Now); err != nil {
		return nil, fmt.Errorf("log.path: %w", errors.Join(err, lock.Close()))
	}
	return l, nil
}

// Event gives an empty event, to be filled and handed to Put, Begin or End.
func (l *Log) Event() *event.Event { return l.queue.event() }

// Put hands an event over for writing and reports whether it was taken; one that sampling leaves out counts as taken. The
// event is not the caller's any more.
func (l *Log) Put(ev *event.Event) bool {
	if !l.sampler.keep(&l.cfg.Load().Sampling, ev) {
		l.metrics.sampled.Inc()
		l.queue.recycle(ev)
		return true
	}
	return l.queue.put(queued{ev: ev, minor: minor(ev), must: must(ev)})
}

// Begin is Put for the start of a connection: r goes to the ledger before the event goes to the file. If it is not
// taken, the connection's end must not be written either.
func (l *Log) Begin(ev *event.Event, r Record) bool { return l.queue.put(queued{ev: ev, open: &r}) }

// End is Put for the end of the connection of that id. It is always taken until Seal.
func (l *Log) End(ev *event.Event, id string) bool { return l.queue.put(queued{ev: ev, close: id}) }

// Dropped counts the events that were not taken.
func (l *Log) Dropped() uint64 { return l.queue.drops() }

// Reopen opens the file's path again, after it was moved away. It returns at once.
func (l *Log) Reopen() {
	select {
	case l.reopen <- struct{}{}:
	default:
	}
}

// Lease notes until when other nodes know that this one lives: the end of its connections, should it die and nobody else be
// asked. It returns at once.
func (l *Log) Lease(until time.Time) {
	l.lease.Store(until.UnixNano())
	select {
	case l.leased <- struct{}{}:
	default:
	}
}

// Seal makes further events be refused. What waits is still written.
func (l *Log) Seal() { l.queue.close() }

// Close gives file, ledger and lock back. It says how many lines could not be written.
func (l *Log) Close() error {
	errs := []error{l.closeWriter()}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

// BootID names one life of a node. Ids of a later boot sort after those of an earlier one.
func BootID(at time.Time) string {
	return fmt.Sprintf("%011x%04x", at.UnixMilli(), 1+rand.IntN(1<<16-1)) //nolint:gosec // unique, not secret
}
