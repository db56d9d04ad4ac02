package shipper

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/shipper/status"
	"imwatch/shipper/tail"
)

var _ status.Shipper = (*Shipper)(nil)

// running is a shipper at work, for those who look.
type running struct {
	reader *reader
	sender *sender
	ended  chan struct{}
}

// show lets others look until the returned function is called.
func (s *Shipper) show(r *reader, snd *sender) (hide func()) {
	x := &running{r, snd, make(chan struct{})}
	s.mu.Lock()
	s.running = x
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		close(x.ended)
	}
}

func (s *Shipper) work() *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// ask has do run on the goroutine that serves asked, and returns what it gives.
func ask[T any](ctx context.Context, x *running, asked chan<- func(), do func() T) (T, error) {
	answer := make(chan T, 1)
	var none T
	select {
	case asked <- func() { answer <- do() }:
	case <-x.ended:
		return none, status.ErrNotRunning
	case <-ctx.Done():
		return none, fmt.Errorf("looking into the shipper: %w", context.Cause(ctx))
	}
	return <-answer, nil
}

// Files tells of each file and input. Safe for concurrent use. Reading goes on meanwhile: the files of one log are told as
// they are at one moment, those of different logs are not.
func (s *Shipper) Files(ctx context.Context) (string, []status.File, error) {
	x := s.work()
	if x == nil {
		return s.node, nil, status.ErrNotRunning
	}
	files, err := x.files(ctx)
	return s.node, files, err
}

// filesAtOnce is of how many files the reader tells before it reads on: it takes some 0.3 ms.
const filesAtOnce = 256

// files asks the reader for all files and inputs, some at a time.
func (x *running) files(ctx context.Context) (all []status.File, err error) {
	walk, err := ask(ctx, x, x.reader.asked, x.reader.tail.Walk)
	if err != nil {
		return nil, err
	}
	type some struct {
		files []status.File
		more  bool
	}
	for more := true; more; {
		got, err := ask(ctx, x, x.reader.asked, func() (s some) {
			s.files, s.more = x.reader.files(walk, filesAtOnce)
			return s
		})
		if err != nil {
			return nil, err
		}
		all, more = append(all, got.files...), got.more
	}
	inputs, err := ask(ctx, x, x.reader.asked, x.reader.inputs)
	return append(all, inputs...), err
}

// files gives the state of the next files; more is false with the last.
func (r *reader) files(walk *tail.Walk, n int) (out []status.File, more bool) {
	now := r.now()
	logs, more := walk.Next(n)
	for i := range logs {
		l := r.backlog.lookAt(r, &logs[i].File)
		for j := range logs[i].Files {
			out = append(out, r.fileOf(&logs[i].Files[j], l, now))
		}
	}
	return out, more
}

// inputs gives the state of each input.
func (r *reader) inputs() (out []status.File) {
	for i, s := range r.cfg.Sources {
		if len(s.Paths) > 0 {
			continue
		}
		f := status.File{Path: s.Label(), Source: s.Label(), Input: s.input(), State: status.Live, Open: r.in.from != nil}
		if !f.Open {
			f.State = status.Done
		}
		l := r.backlog.log(r.inputFile(i))
		f.LinesRead, f.Rate = l.lines, rounded(l.rate)
		out = append(out, f)
	}
	return out
}

// input says what a source is.
func (s Source) input() string {
	switch {
	case s.Stdin:
		return "stdin"
	case s.Syslog != nil:
		return "syslog"
	case s.HTTP != nil:
		return "http"
	}
	return "file"
}

func (r *reader) fileOf(n *tail.Now, l *logLag, now time.Time) status.File {
	f := status.File{
		Path: n.Path, Log: n.Live, Source: r.cfg.Sources[n.Source].Label(), Input: "file", Device: n.Dev, Inode: n.Ino,
		Fingerprint: n.ID.Head, Run: n.ID.Run, Open: n.Open, Copy: n.ID.Head != "" && !n.Current, Size: n.Size, Read: n.Offset,
		LinesRead: l.lines, Modified: utc(n.Modified), Error: n.Err, ErrorAt: utc(n.ErrAt),
	}
	if n.ID.Head != "" {
		f.Acked = r.ledger.offset(n.ID)
	}
	if n.Current {
		if at, behind := l.oldest[n.ID]; behind {
			f.LagBytes = max(0, n.Size-f.Acked)
			f.LagLines = r.backlog.estimate(l, f.LagBytes)
			f.LagSeconds = rounded(max(0, now.Sub(at).Seconds()))
		}
		f.Rate = rounded(l.rate)
	}
	f.State = stateOf(n, f.Acked)
	return f
}

func stateOf(n *tail.Now, acked int64) string {
	switch {
	case n.ID.Head == "":
		return status.Waiting
	case n.Writable:
		return status.Live
	case acked >= n.Size:
		return status.Done
	case n.Gone:
		return status.Deleted
	case n.Packed:
		return status.Gzip
	}
	return status.Rotated
}

func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// rounded keeps three places.
func rounded(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }

const (
	// silentAfter is from when on brokers that acknowledge nothing are trouble.
	silentAfter = 10 * time.Second
	// freshError is how long an error with a file is trouble.
	freshError = time.Minute
	// lookTimeout is how long each half of the shipper has to answer.
	lookTimeout = 2 * time.Second
)

// Status tells how the shipper is. Safe for concurrent use.
func (s *Shipper) Status(ctx context.Context) status.Status {
	st := status.Status{At: s.deps.Now().UTC(), Node: s.node, Trouble: []string{}, Files: status.Files{States: map[string]int{}}, Kafka: status.Kafka{Lanes: []status.Lane{}}}
	st.Queue = status.Queue{Dir: s.cfg.queueDir(), Full: s.cfg.Queue.Full}
	if st.Queue.Dir != "" {
		st.Queue.Most = s.cfg.Queue.MaxBytes
	}
	if x := s.work(); x == nil {
		st.Trouble = append(st.Trouble, status.ErrNotRunning.Error())
	} else {
		s.lookAtFiles(ctx, x, &st)
		s.lookAtSender(ctx, x, &st)
	}
	s.lookAtLag(&st)
	st.Healthy = len(st.Trouble) == 0
	return st
}

func (s *Shipper) lookAtFiles(ctx context.Context, x *running, st *status.Status) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	type found struct {
		open    int
		failing []string
	}
	r := x.reader
	f, err := ask(ctx, x, r.asked, func() found {
		r.freshenLag()
		return found{r.tail.Open(), r.tail.Troubles(r.now().Add(-freshError))}
	})
	var files []status.File
	if err == nil {
		files, err = x.files(ctx)
	}
	if err != nil {
		st.Trouble = append(st.Trouble, "the reading side does not answer: "+err.Error())
		return
	}
	st.Files.Known, st.Files.Open, st.Files.Failing = len(files), f.open, len(f.failing)
	for i := range files {
		st.Files.States[files[i].State]++
		if files[i].LagBytes > 0 {
			st.Files.Behind++
		}
	}
	if len(f.failing) > 0 {
		slices.Sort(f.failing)
		st.Trouble = append(st.Trouble, fmt.Sprintf("%d paths could not be read within the last minute: %s", len(f.failing), strings.Join(f.failing[:min(3, len(f.failing))], ", ")))
	}
}

func (s *Shipper) lookAtSender(ctx context.Context, x *running, st *status.Status) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	snd := x.sender
	if f := snd.failing.Load(); f != nil {
		st.Kafka.Error, st.Kafka.ErrorAt = f.text, utc(f.at)
	}
	if st.Kafka.Reached = snd.reached.Load(); !st.Kafka.Reached {
		st.Trouble = append(st.Trouble, "the brokers have not been reached since the start")
		return
	}
	type half struct {
		kafka status.Kafka
		queue status.Queue
	}
	h, err := ask(ctx, x, snd.asked, func() half { return half{snd.way(st.Kafka), snd.waiting(st.Queue)} })
	if err != nil {
		st.Trouble = append(st.Trouble, "the sending side does not answer: "+err.Error())
		return
	}
	st.Kafka, st.Queue = h.kafka, h.queue
	if silent := st.Kafka.Silent; silent > silentAfter.Seconds() {
		st.Trouble = append(st.Trouble, fmt.Sprintf("Kafka has acknowledged nothing for %.0f s", silent))
	}
	if st.Queue.Blocked {
		st.Trouble = append(st.Trouble, "the queue is full or its disk cannot be written: nothing is read")
	}
}

// way tells of the way to the brokers.
func (s *sender) way(k status.Kafka) status.Kafka {
	now := s.now()
	k.InFlight, k.Bytes, k.LastAck = len(s.items), s.window, utc(s.acked)
	if len(s.items) > 0 {
		k.Silent = rounded(max(0, now.Sub(s.moved).Seconds()))
	}
	k.Lanes = make([]status.Lane, 0, len(s.lanes))
	for at, l := range s.lanes {
		x := status.Lane{Topic: at.topic, Partition: at.partition, InFlight: int(l.undelivered.Load()), Acked: l.acked.Load()}
		if ns := l.ackedAt.Load(); ns != 0 {
			x.LastAck = utc(time.Unix(0, ns))
		}
		k.Lanes = append(k.Lanes, x)
	}
	slices.SortFunc(k.Lanes, func(a, b status.Lane) int {
		return cmp.Or(strings.Compare(b.Topic, a.Topic), cmp.Compare(a.Partition, b.Partition)) // the lines first
	})
	return k
}

// waiting tells of what waits.
func (s *sender) waiting(q status.Queue) status.Queue {
	q.Entries = int64(len(s.items)) + int64(min(s.unread(), 1<<62)) //nolint:gosec // bounded
	q.Oldest = rounded(s.metrics.age(s.now()).Seconds())
	q.Blocked = !s.stalled.IsZero()
	if s.queue != nil {
		q.Bytes, q.Segments = s.queue.Bytes(), s.queue.Segments()
	}
	return q
}

func (s *Shipper) lookAtLag(st *status.Status) {
	now := s.deps.Now()
	age := s.metrics.lagAge(now)
	st.Lag.Seconds, st.Lag.Bound, st.Lag.Behind = rounded(age.Seconds()), s.cfg.LagBound.Seconds(), age > s.cfg.LagBound
	if l := s.metrics.lag.Load(); l != nil {
		st.Lag.Lines, st.Lag.Bytes = l.lines, l.bytes
		st.Throughput = status.Throughput{Lines: rounded(l.rate), Written: rounded(l.written)}
		if l.ends {
			eta := rounded(l.eta.Seconds())
			st.Lag.ETA = &eta
		}
	}
	st.Throughput.Bytes = rounded(st.Throughput.Lines * s.metrics.recordBytes())
	if st.Lag.Behind {
		st.Trouble = append(st.Trouble, fmt.Sprintf("the oldest line that Kafka has not acknowledged has waited for %v, longer than shipper.lag_bound, %v", age.Round(time.Second), s.cfg.LagBound))
	}
}

// recordBytes is the mean size of what was acknowledged for a line.
func (m *metrics) recordBytes() float64 {
	lines := m.done.lines.Load()
	if lines == 0 {
		return 0
	}
	return float64(m.done.bytes.Load()) / float64(lines)
}
