package shipper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/shipper/queue"
)

// switched is a broker that can be away.
type switched struct {
	*membus.Bus
	off atomic.Bool
}

func (s *switched) away() error {
	if s.off.Load() {
		return errFlaky
	}
	return nil
}

func (s *switched) Partitions(ctx context.Context, topic string) (int, error) {
	if err := s.away(); err != nil {
		return 0, err
	}
	return s.Bus.Partitions(ctx, topic)
}

func (s *switched) Identify(ctx context.Context) (bus.Identity, error) {
	if err := s.away(); err != nil {
		return bus.Identity{}, err
	}
	return s.Bus.Identify(ctx)
}

func (s *switched) ProduceSealed(ctx context.Context, topic string, p int, as bus.Stamp, sealed []byte) error {
	if err := s.away(); err != nil {
		return err
	}
	return s.Bus.ProduceSealed(ctx, topic, p, as, sealed)
}

func (s *switched) Broadcast(ctx context.Context, topic string, m bus.Message) error {
	if err := s.away(); err != nil {
		return err
	}
	return s.Bus.Broadcast(ctx, topic, m)
}

// queued is a shipper in fake time on a broker that can be away, and the log that it reads.
type queued struct {
	*testing.T
	bus     *switched
	cfg     Config
	files   queue.FS
	live    string
	n       int
	metrics *prometheus.Registry
	log     *logrus.Logger
	stop    func()
}

func newQueued(t *testing.T) *queued {
	t.Helper()
	dir := t.TempDir()
	q := &queued{T: t, bus: &switched{Bus: newBus(t)}, live: filepath.Join(dir, "app.log"), files: unsynced{}, log: quiet(), stop: func() {}}
	q.cfg = config(dir, q.live)
	q.cfg.Watch, q.cfg.ShutdownTimeout, q.cfg.BatchLines = WatchPoll, time.Millisecond, 20
	return q
}

func (q *queued) start() {
	q.Helper()
	q.metrics = prometheus.NewRegistry()
	s, err := New(q.cfg, Deps{Bus: q.bus, Log: q.log, Files: q.files, Registerer: q.metrics})
	if err != nil {
		q.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	q.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			q.Error(err)
		}
		q.stop = func() {}
	}
	q.Cleanup(func() { q.stop() })
}

// write appends lines and lets some time go by.
func (q *queued) write(lines int, then time.Duration) {
	q.Helper()
	text := ""
	for range lines {
		text += line("im-1", q.n, epoch.Add(time.Duration(q.n)*time.Millisecond)) + "\n"
		q.n++
	}
	if text != "" {
		appendTo(q, q.live, text)
	}
	<-time.After(then)
}

// metric gives the sum of a metric's values.
func (q *queued) metric(name string) (sum float64) {
	q.Helper()
	families, err := q.metrics.Gather()
	if err != nil {
		q.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// arrived checks that all lines are there once, in order.
func (q *queued) arrived() {
	q.Helper()
	ids, keys, _ := shipped(q, q.bus)
	if len(ids) != q.n {
		q.Errorf("%d of %d lines arrived", len(ids), q.n)
	}
	for n := range q.n {
		if id := fmt.Sprintf("im-1-boot-%010d", n); ids[id] == 0 {
			q.Errorf("%s is missing", id)
			break
		}
	}
	for id, times := range ids {
		if times != 1 {
			q.Errorf("%s arrived %d times", id, times)
		}
	}
	for key, got := range keys {
		if !slices.IsSorted(got) {
			q.Errorf("key %s is out of order: %v", key, got)
		}
	}
}

// While the broker is away lines go into the queue, over restarts too, and their logs may be deleted. When it is back
// they arrive once, in order.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		q.cfg.WindowBytes = 64 << 10
		q.start()
		q.write(10, 3*time.Second)
		q.bus.off.Store(true)
		for range 3 {
			for range 60 {
				q.write(50, time.Second)
			}
			<-time.After(2 * time.Second) // what was read last waits for more for a second
			if n := q.metric("im_shipper_queue_bytes"); n < 60*50*200 {
				t.Errorf("%v bytes are in the queue", n)
			}
			if age := q.metric("im_shipper_queue_age_seconds"); age < 50 {
				t.Errorf("the oldest is %v seconds old", age)
			}
			q.stop()
			if err := os.Remove(q.live); err != nil { // rotated away in the meantime
				t.Fatal(err)
			}
			q.start()
			<-time.After(2 * time.Second)
		}
		if n := q.metric("im_shipper_recovered_entries_total"); n < 100 {
			t.Errorf("%v entries were recovered", n)
		}
		q.write(10, 10*time.Second)
		q.bus.off.Store(false)
		<-time.After(time.Minute)
		q.arrived()
		if n := q.metric("im_shipper_queue_bytes"); n != 0 {
			t.Errorf("%v bytes are left in the queue", n)
		}
		q.write(10, 3*time.Second)
		q.arrived()
		q.stop()
		if n := testutil.CollectAndCount(q.metrics, "im_shipper_queue_bytes"); n != 1 {
			t.Errorf("%d metrics of the queue's bytes", n)
		}
	})
}

// A full queue stops reading, and goes on by itself.
func TestQueueFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		q.cfg.Queue.MaxBytes, q.cfg.WindowBytes = 1<<20, 64<<10
		q.start()
		q.write(1, 3*time.Second)
		q.bus.off.Store(true)
		for range 200 {
			q.write(50, time.Second)
		}
		if n := q.metric("im_shipper_queue_bytes"); n > 1<<20 {
			t.Errorf("%v bytes are in the queue", n)
		}
		if s := q.metric("im_shipper_queue_blocked_seconds_total"); s < 50 {
			t.Errorf("blocked for %v seconds", s)
		}
		q.bus.off.Store(false)
		<-time.After(time.Minute)
		q.arrived()
	})
}

// faulty is a file system whose disk is full, or broken, for a while.
type faulty struct {
	unsynced
	err atomic.Pointer[error]
}

func (f *faulty) fault() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *faulty) OpenFile(name string, flag int, perm os.FileMode) (queue.File, error) {
	file, err := f.unsynced.OpenFile(name, flag, perm)
	return &faultyFile{file, f}, err
}

type faultyFile struct {
	queue.File
	fs *faulty
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.fs.fault(); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/2], off)
		return n, err
	}
	return f.File.WriteAt(b, off)
}

// A disk that is full or fails stops reading, is told by a metric, and nothing is lost or doubled when it works again,
// or when the shipper is started anew meanwhile.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
		t.Run(fault.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newQueued(t)
				disk := &faulty{}
				q.files = disk
				q.start()
				for round := range 4 {
					q.write(100, 3*time.Second)
					q.arrived()
					disk.err.Store(&fault)
					for range 10 {
						q.write(30, time.Second)
					}
					if n := q.metric("im_shipper_queue_errors_total"); n == 0 {
						t.Error("nobody was told")
					}
					if round%2 == 1 {
						disk.err.Store(nil)
						q.stop()
						q.start()
					}
					disk.err.Store(nil)
					<-time.After(5 * time.Second)
					q.arrived()
				}
			})
		})
	}
}

// A disk that the queue has filled has room for the checkpoint without which nothing of the queue could be deleted.
func TestRoomForTheCheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q, err := queue.Open(queue.Config{Dir: dir, MaxBytes: 1 << 30, SegmentBytes: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	for range 3 {
		_, n, err := q.Append(epoch, []byte("entry"))
		if err != nil {
			t.Fatal(err)
		}
		q.Pass(n)
	}
	written := 0
	s := &sender{cfg: config(dir), log: quiet(), now: func() time.Time { return epoch }, metrics: newMetrics(), queue: q, ledger: newLedger(checkpoint{}, epoch)}
	reserve := filepath.Join(dir, "reserve")
	teller := &teller{sender: s, write: func(string, checkpoint) error {
		if _, err := os.Stat(reserve); err == nil {
			return &os.PathError{Op: "write", Path: dir, Err: syscall.ENOSPC}
		}
		written++
		return nil
	}}
	if err := q.Keep(); err != nil {
		t.Fatal(err)
	}
	s.ledger.acknowledge(&change{}, 3)
	if err := teller.checkpoint(0); err != nil || written != 1 {
		t.Errorf("%d checkpoints were written, %v", written, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.queue1"))
	if err != nil || len(left) != 1 {
		t.Errorf("%v are left", left)
	}
	if _, err := os.Stat(reserve); err != nil {
		t.Errorf("the room was not kept anew: %v", err)
	}
}

// Brokers that have forgotten who we are take the lines all the same, and somebody is told.
func TestForgottenIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		b := &forgetful{switched: q.bus}
		q.start()
		q.write(100, 2*time.Second)
		q.stop()
		s, err := New(q.cfg, Deps{Bus: b, Log: quiet(), Files: q.files, Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		q.write(100, 2*time.Second)
		b.refuse.Store(true)
		q.write(100, 2*time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		q.arrived()
		if n := testutil.ToFloat64(s.metrics.identities.WithLabelValues(identityRefused)); n < 1 {
			t.Errorf("%v identities were refused", n)
		}
	})
}

// forgetful refuses an identity that it has known once.
type forgetful struct {
	*switched
	refuse atomic.Bool
}

func (f *forgetful) ProduceSealed(ctx context.Context, topic string, p int, as bus.Stamp, sealed []byte) error {
	if as.Sequence > 0 && f.refuse.CompareAndSwap(true, false) {
		return fmt.Errorf("who is that: %w", bus.ErrSequence)
	}
	return f.switched.ProduceSealed(ctx, topic, p, as, sealed)
}

// What is read back of an entry is what went in, and nonsense is refused.
func FuzzEntry(f *testing.F) {
	b := membus.New()
	s := sealer{bus: b, now: func() time.Time { return epoch }, partitions: [2]int{3, 1}}
	batch := newBatch(10, 1<<10)
	for i := range 4 {
		start := len(batch.arena)
		batch.arena = append(batch.arena, line("im-1", i, epoch)...)
		batch.add(start, fmt.Sprint("u", i))
	}
	entry, err := s.entry(nil, batch)
	if err != nil {
		f.Fatal(err)
	}
	if _, pieces, err := decodeEntry(entry); err != nil || len(pieces) == 0 {
		f.Fatal(len(pieces), err)
	}
	f.Add(entry)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, pieces, err := decodeEntry(b); err == nil {
			for _, p := range pieces {
				if !slices.Contains(topics(), p.topic) {
					t.Errorf("a piece for %q", p.topic)
				}
			}
		}
	})
}
