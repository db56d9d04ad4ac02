package shipper

import (
	"math"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/internal/lag"
	"imwatch/shipper/tail"
)

// backlog follows how far what is acknowledged is behind what is written, log by log. Owned by the reader.
type backlog struct {
	logs        map[string]*logLag // inputs too
	lines, size int64              // read of all of them
	catching    lag.Progress
}

// logLag is how far one log is behind.
type logLag struct {
	lines, size int64   // read since the start
	rate        float64 // lines a second
	before      int64   // lines at the last look
	looked      time.Time
	fronts      map[tail.ID]*lag.Frontier // of generations that are behind

	behind int64 // bytes of whole lines that are not acknowledged
	oldest map[tail.ID]time.Time
}

// logsLag is the sum over all logs at a time.
type logsLag struct {
	at           time.Time
	lines, bytes int64
	oldest       time.Time // when the oldest line was written that is not acknowledged; zero: there is none
	rate         float64   // acknowledged lines a second
	written      float64   // lines a second
	eta          time.Duration
	ends         bool // eta says when it has caught up
}

func newBacklog(cfg Config, log logrus.FieldLogger) backlog {
	return backlog{logs: map[string]*logLag{}, catching: lag.Progress{Log: log, Bound: cfg.LagBound, What: "the logs"}}
}

func (b *backlog) log(name string) *logLag {
	l := b.logs[name]
	if l == nil {
		l = &logLag{}
		b.logs[name] = l
	}
	return l
}

// read notes lines, and the bytes they took.
func (b *backlog) read(name string, lines, size int) {
	l := b.log(name)
	l.lines, l.size = l.lines+int64(lines), l.size+int64(size)
	b.lines, b.size = b.lines+int64(lines), b.size+int64(size)
}

// guess is how long a line is taken to be before there was any.
const guess = 600

// estimate gives how many lines of a log so many bytes are, by the mean of those that were read.
func (b *backlog) estimate(l *logLag, size int64) int64 {
	mean := float64(guess)
	switch {
	case l.lines > 0:
		mean = float64(l.size) / float64(l.lines)
	case b.lines > 0:
		mean = float64(b.size) / float64(b.lines)
	}
	if size <= 0 {
		return 0
	}
	return max(1, int64(math.Round(float64(size)/max(1, mean))))
}

// rateOver is the time constant of a log's rate.
const rateOver = 10 * time.Second

// pace brings the rate up to now.
func (l *logLag) pace(now time.Time) {
	took := now.Sub(l.looked).Seconds()
	if l.looked.IsZero() || took <= 0 {
		return
	}
	share := 1 - math.Exp(-took/rateOver.Seconds())
	l.rate += share * (float64(l.lines-l.before)/took - l.rate)
	if l.rate < 0.001 {
		l.rate = 0
	}
}

// look takes in how large a log's files are, as they were at scanned, and up to where they are acknowledged. reached is
// the time of the newest event that was read of it; zero: none.
func (l *logLag) look(f *tail.File, acked func(tail.ID) int64, scanned, reached time.Time) {
	l.behind = 0
	clear(l.oldest)
	for _, s := range f.Sizes {
		done := acked(s.ID)
		if done >= s.Whole {
			delete(l.fronts, s.ID)
			continue
		}
		l.behind += s.Whole - done
		front := l.fronts[s.ID]
		if front == nil {
			front = &lag.Frontier{}
			if l.fronts == nil {
				l.fronts, l.oldest = map[tail.ID]*lag.Frontier{}, map[tail.ID]time.Time{}
			}
			l.fronts[s.ID] = front
			front.Done(done)
			front.Saw(done, l.looked) // it was not behind then, or not there
		}
		front.Done(done)
		front.Saw(s.Whole, scanned)
		switch until := front.Until(); {
		case !until.IsZero():
			l.oldest[s.ID] = until
		case !reached.IsZero() && reached.Before(scanned):
			l.oldest[s.ID] = reached
		default:
			l.oldest[s.ID] = s.Modified
		}
	}
	for id := range l.fronts {
		if _, there := l.oldest[id]; !there {
			delete(l.fronts, id)
		}
	}
}

// lookAt takes in one log.
func (b *backlog) lookAt(r *reader, f *tail.File) *logLag {
	l := b.log(f.Live)
	var reached time.Time
	if ns := r.progress.newest[f.Live]; ns != 0 {
		reached = time.Unix(0, ns)
	}
	l.look(f, r.ledger.offset, r.scanned, reached)
	return l
}

// look takes in all logs and sums up.
func (b *backlog) look(r *reader, files []tail.File, now time.Time) *logsLag {
	sum := &logsLag{at: now}
	for i := range files {
		f := &files[i]
		l := b.lookAt(r, f)
		sum.bytes += l.behind
		sum.lines += b.estimate(l, l.behind)
		for _, at := range l.oldest {
			if sum.oldest.IsZero() || at.Before(sum.oldest) {
				sum.oldest = at
			}
		}
		l.pace(now)
		l.before, l.looked = l.lines, now
	}
	for name, l := range b.logs {
		switch {
		case l.looked.Equal(now):
		case name[0] == 0: // an input
			l.pace(now)
			l.before, l.looked = l.lines, now
		default:
			delete(b.logs, name)
		}
	}
	return sum
}

// showLag shows how far all logs are behind, and tells how catching up goes.
func (r *reader) showLag(files []tail.File, now time.Time) {
	sum := r.backlog.look(r, files, now)
	m := r.metrics
	m.lagLines.Set(float64(sum.lines))
	m.lagBytes.Set(float64(sum.bytes))
	c := &r.backlog.catching
	c.Note(m.done.lines.Load(), sum.lines, max(sum.age(now), m.age(now)), now)
	sum.rate, sum.written = c.Rate(now), c.Written(now)
	sum.eta, sum.ends = c.ETA(now)
	m.lag.Store(sum)
}

// lagKept is how long what showLag has shown is as good as new: it is shown with each watermark, mostly.
const lagKept = time.Second

// freshenLag is showLag, if it was not shown lately.
func (r *reader) freshenLag() {
	now := r.now()
	if l := r.metrics.lag.Load(); l == nil || now.Sub(l.at) > lagKept {
		r.showLag(r.tail.Files(), now)
	}
}

// age is that of the oldest line.
func (l *logsLag) age(now time.Time) time.Duration {
	if l.oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(l.oldest))
}

// lookPatience is how long the logs may not be looked at before their lag is taken to grow.
const lookPatience = 10 * time.Second

// lagAge is the age of the oldest line or entry that is not acknowledged. While nobody looks at the logs it counts from
// the last look.
func (m *metrics) lagAge(now time.Time) time.Duration {
	age := m.age(now)
	l := m.lag.Load()
	if l == nil {
		return age
	}
	if since := now.Sub(l.at); since > lookPatience {
		age = max(age, since)
	}
	return max(age, l.age(now))
}
