package shipper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/shipper/queue"
)

// sender seals batches, keeps them in the queue, and brings them to the bus by a lane for each partition. Owned by its
// goroutine, except for what lanes and teller use of it.
type sender struct {
	cfg       Config
	log       logrus.FieldLogger
	now       func() time.Time
	bus       Bus
	metrics   *metrics
	ledger    *ledger
	in        <-chan *batch // what was read; closed at the end
	full      <-chan *batch // the same, for batches that take no more
	free      chan<- *batch
	queue     *queue.Queue     // nil: what was not acknowledged is in memory only
	positions *queue.Positions // nil: as well

	sealer  sealer
	lanes   map[place]*lane
	running sync.WaitGroup
	teller  *teller
	items   []*item // on their way, in order
	rider   *change // of batches without lines: comes behind all that is in the queue
	stuck   *sealed // what the queue has not taken yet
	buffers [][]byte
	window  int       // bytes of items
	number  uint64    // of the last entry, where there is no queue
	taken   time.Time // when the last batch was
	moved   time.Time // when something was acknowledged last, or began to be waited for
	losses  losses    // lines that were dropped
	stalled time.Time // when the queue has not taken the stuck entry first

	progress chan struct{} // holds a token when something was acknowledged
	failed   chan error
	found    chan [2]int // partitions of the topics
	asked    chan func() // by those who look
	warned   atomic.Int64
	reached  atomic.Bool             // the lanes are there
	failing  atomic.Pointer[failure] // the last attempt that failed
	acked    time.Time               // when something was acknowledged last; zero: not since the start
}

// failure is an attempt that failed.
type failure struct {
	at   time.Time
	text string
}

// sealed is an entry that is not in the queue yet.
type sealed struct {
	payload []byte
	change  change
}

// item is an entry on its way.
type item struct {
	number uint64
	at     time.Time // when it was sealed
	change change
	left   atomic.Int32 // lanes that have not acknowledged it
	queued int64        // bytes in the queue
	buffer []byte
	lines  int
}

func (i *item) acknowledged(progress chan struct{}) {
	if i.left.Add(-1) == 0 {
		nudge(progress)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Waits between attempts: quick at first, since most troubles are short, and never long enough to be noticed when the
// broker is back.
const (
	firstWait = 50 * time.Millisecond
	longWait  = 2 * time.Second
)

const (
	// lookEvery is how often the sender looks whether it is time for something.
	lookEvery = 100 * time.Millisecond
	// awayAfter is from when on a broker that acknowledges nothing is taken to be away: then the queue is filled,
	// before that the logs are left where they are.
	awayAfter = time.Second
	// eager is up to how many entries on their way small batches are sent as they come. Beyond they are let grow, up to
	// lingerHere, and lingerAway while the broker is away.
	eager      = 4
	lingerHere = 50 * time.Millisecond
	lingerAway = time.Second
)

// run sends until in is closed and all is acknowledged, or ctx ends, and then writes the last checkpoint.
func (s *sender) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		s.running.Wait()
	}()
	if err := s.discover(ctx); err != nil {
		return err
	}
	told := make(chan error, 1)
	s.running.Go(func() { told <- s.teller.run(ctx) })
	s.running.Go(func() { s.keepDurable(ctx) })
	s.running.Go(func() { s.watchPartitions(ctx, s.found) })
	err := s.loop(ctx)
	if err == nil {
		s.teller.close()
	} else {
		stop()
	}
	return errors.Join(err, <-told)
}

// loop returns when all is acknowledged.
func (s *sender) loop(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	defer s.tellLosses(true)
	for {
		if err := s.advance(ctx); err != nil {
			return err
		}
		s.tellLosses(false)
		if s.in == nil && s.stuck == nil && s.rider == nil && len(s.items) == 0 {
			return nil
		}
		in, full := s.ready()
		var err error
		select {
		case b, open := <-in:
			if !open {
				s.in, s.full = nil, nil
				continue
			}
			err = s.take(b)
		case b := <-full:
			err = s.take(b)
		case <-s.progress:
		case <-look.C:
		case look := <-s.asked:
			look()
		case err = <-s.failed:
		case n := <-s.found:
			for topic := range n {
				s.grow(ctx, topic, n[topic])
			}
		case <-ctx.Done():
			err = fmt.Errorf("shipping: %w", context.Cause(ctx))
		}
		if err != nil {
			return err
		}
	}
}

// ready says what may be received now.
func (s *sender) ready() (in, full <-chan *batch) {
	if s.stuck != nil {
		return nil, nil
	}
	now := s.now()
	away := len(s.items) > 0 && now.Sub(s.moved) > awayAfter
	room := s.window < s.cfg.WindowBytes && s.unread() == 0
	if !room && (!away || s.queue == nil) {
		return nil, nil
	}
	linger := lingerHere
	if away {
		linger = lingerAway
	}
	if len(s.items) < eager && !away || now.Sub(s.taken) >= linger {
		in = s.in
	}
	return in, s.full
}

func (s *sender) unread() uint64 {
	if s.queue == nil {
		return 0
	}
	return s.queue.Unread()
}

// take seals a batch. What has no lines moves when all before it is acknowledged, or goes with the next that has.
func (s *sender) take(b *batch) error {
	s.taken = s.now()
	if s.rider != nil {
		s.rider.follow(b.change)
		b.change, s.rider = *s.rider, nil
	}
	if len(b.records)+len(b.letters) == 0 {
		c := b.take()
		s.rider = &c
	} else {
		payload, err := s.sealer.entry(s.buffer(), b)
		if err != nil {
			return err
		}
		s.stuck = &sealed{payload, b.take()}
	}
	b.reset()
	select {
	case s.free <- b:
	default:
	}
	return nil
}

func (s *sender) buffer() []byte {
	if n := len(s.buffers); n > 0 {
		b := s.buffers[n-1]
		s.buffers = s.buffers[:n-1]
		return b[:0]
	}
	return nil
}

// recycle keeps some buffers for the next entries.
func (s *sender) recycle(b []byte) {
	const kept = 4
	if len(s.buffers) < kept && b != nil {
		s.buffers = append(s.buffers, b)
	}
}

// advance does what can be done without waiting.
func (s *sender) advance(ctx context.Context) error {
	s.complete()
	if err := s.store(ctx); err != nil {
		return err
	}
	for s.window < s.cfg.WindowBytes && s.unread() > 0 {
		e, ok, err := s.queue.Next(s.buffer())
		if err != nil {
			s.trouble(err, "the queue cannot be read; what is in it is sent when it can")
			break
		}
		if !ok {
			break
		}
		c, pieces, err := decodeEntry(e.Payload)
		if err != nil {
			return fmt.Errorf("reading entry %d of the queue: %w", e.Number, err)
		}
		s.feed(ctx, &item{number: e.Number, at: e.At, change: c, queued: e.Bytes, buffer: e.Payload}, pieces)
	}
	if s.rider != nil && s.stuck == nil && s.unread() == 0 {
		s.feed(ctx, &item{number: s.last(), at: s.now(), change: *s.rider}, nil)
		s.rider = nil
		s.complete()
	}
	return nil
}

func (s *sender) last() uint64 {
	if s.queue == nil {
		return s.number
	}
	return s.queue.Last()
}

// store puts the entry that was sealed into the queue. While that cannot take it nothing more is read.
func (s *sender) store(ctx context.Context) error {
	if s.stuck == nil {
		return nil
	}
	it := &item{at: s.now(), change: s.stuck.change, buffer: s.stuck.payload}
	if s.queue == nil {
		s.number++
		it.number = s.number
	} else {
		number, bytes, err := s.queue.Append(it.at, s.stuck.payload)
		for err != nil && s.dropOldest(err) {
			number, bytes, err = s.queue.Append(it.at, s.stuck.payload)
		}
		if err != nil && s.dropNewest(err) {
			s.unblocked(it.at)
			return nil
		}
		if err != nil {
			s.blocked(it.at, err)
			return nil
		}
		s.unblocked(it.at)
		it.number, it.queued = number, bytes
		s.keep(it)
		if s.queue.Unread() > 1 || s.window >= s.cfg.WindowBytes { // it is read when its turn comes
			s.recycle(s.stuck.payload)
			s.stuck = nil
			return nil
		}
		s.queue.Pass(bytes)
	}
	s.stuck = nil
	pieces, _, err := decodePieces(it.buffer)
	if err != nil {
		return fmt.Errorf("reading what was sealed: %w", err)
	}
	s.feed(ctx, it, pieces)
	return nil
}

// keep tells those who wait for an entry that is in the queue now, which outlives the process. It is made durable
// before, unless that is never done: they will not give it again after a power failure.
func (s *sender) keep(it *item) {
	if len(it.change.done) == 0 {
		return
	}
	if s.cfg.Queue.Fsync != FsyncNever {
		if err := s.queue.Sync(); err != nil {
			s.metrics.queueErrors.Inc()
			s.trouble(err, "the queue could not be made durable; those who gave its last lines are not answered")
			return
		}
	}
	it.change.settle()
}

// blocked notes that the queue takes no more.
func (s *sender) blocked(now time.Time, err error) {
	if s.stalled.IsZero() {
		s.stalled = now
	}
	s.metrics.blocked.Add(max(0, now.Sub(s.stalled).Seconds()))
	s.stalled = now
	what := "the queue on disk is full; no more is read until the broker has taken some of it"
	if !errors.Is(err, queue.ErrFull) {
		what = "the queue on disk cannot be written; no more is read until it can"
		s.metrics.queueErrors.Inc()
	}
	s.trouble(err, what)
}

func (s *sender) unblocked(now time.Time) {
	if !s.stalled.IsZero() {
		s.metrics.blocked.Add(max(0, now.Sub(s.stalled).Seconds()))
		s.stalled = time.Time{}
	}
}

// feed hands an entry's pieces to their lanes.
func (s *sender) feed(ctx context.Context, it *item, pieces []piece) {
	if len(s.items) == 0 {
		s.moved = s.now()
	}
	works := map[place]*work{}
	for _, p := range pieces {
		if p.topic == bus.TopicLifecycle {
			it.lines += p.count
		}
		if l := s.lane(ctx, p.place); it.number <= l.known {
			continue // it had that before the shipper was started
		}
		w := works[p.place]
		if w == nil {
			w = &work{item: it}
			works[p.place] = w
		}
		w.pieces = append(w.pieces, p)
	}
	s.window += cap(it.buffer)
	s.items = append(s.items, it)
	it.left.Store(int32(len(works)) + 1) //nolint:gosec // partitions have 32 bits
	for at, w := range works {
		s.lanes[at].add(*w)
	}
	it.acknowledged(s.progress) // only now may it be complete
}

// complete passes on what is acknowledged, in order.
func (s *sender) complete() {
	now := s.now()
	for len(s.items) > 0 && s.items[0].left.Load() == 0 {
		it := s.items[0]
		s.items[0] = nil
		s.items = s.items[1:]
		s.window -= cap(it.buffer)
		s.moved, s.acked = now, now
		if s.queue != nil {
			s.queue.Done(it.queued)
		}
		s.count(it, now)
		it.change.settle()
		s.teller.add(it.change, it.number)
		s.recycle(it.buffer)
	}
	s.metrics.oldest.Store(0)
	if len(s.items) > 0 {
		s.metrics.oldest.Store(s.items[0].at.UnixNano())
	}
	s.metrics.entries.Set(float64(len(s.items)) + float64(s.unread()))
	if s.queue != nil {
		s.metrics.queueBytes.Set(float64(s.queue.Bytes()))
	}
}

func (s *sender) count(it *item, now time.Time) {
	s.metrics.bytes.Add(float64(it.change.bytes))
	s.metrics.done.bytes.Add(int64(it.change.bytes))
	s.metrics.lines.WithLabelValues(resultShipped).Add(float64(it.lines))
	s.metrics.lines.WithLabelValues(resultEmpty).Add(float64(it.change.empty))
	letters := 0
	for reason, n := range it.change.dead {
		letters += n
		s.metrics.deadLetters.WithLabelValues(reason).Add(float64(n))
	}
	s.metrics.lines.WithLabelValues(resultDeadLetter).Add(float64(letters))
	s.metrics.done.lines.Add(int64(it.lines + it.change.empty + letters))
	if it.buffer != nil {
		s.metrics.produce.Observe(max(0, now.Sub(it.at).Seconds()))
	}
}

// keepDurable makes the queue durable now and then.
func (s *sender) keepDurable(ctx context.Context) {
	if s.queue == nil || s.cfg.Queue.Fsync != FsyncInterval {
		return
	}
	tick := time.NewTicker(s.cfg.Queue.FsyncInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := errors.Join(s.queue.Sync(), s.positions.Sync()); err != nil {
			s.metrics.queueErrors.Inc()
			s.trouble(err, "the queue could not be made durable; a power failure now may cost it its last entries, which are then read from the logs again")
		}
	}
}

// insist tries until it succeeds, ctx ends, or it is refused in a way that the caller must answer.
func (s *sender) insist(ctx context.Context, doing string, do func() error) error {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := do()
		if err == nil || errors.Is(err, bus.ErrTooLarge) || errors.Is(err, bus.ErrSequence) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		}
		s.metrics.failures.Inc()
		s.failing.Store(&failure{s.now(), doing + ": " + err.Error()})
		s.trouble(err, doing+" failed; it is repeated until it succeeds")
		select {
		case <-time.After(wait/2 + rand.N(wait)): // spreads attempts, keeps no secret
		case <-ctx.Done():
		}
	}
}

// trouble logs what will be tried again, now and then.
func (s *sender) trouble(err error, what string) {
	const every = 10 * time.Second
	now, last := s.now().UnixNano(), s.warned.Load()
	if last == 0 || now-last >= int64(every) {
		if s.warned.CompareAndSwap(last, now) {
			s.log.WithError(err).Warn(what)
		}
	}
}

// fail ends the shipper: what has happened is no trouble that passes.
func (s *sender) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}
