package lag

import (
	"time"

	"github.com/sirupsen/logrus"
)

// Progress tells in the log how catching up goes: a line every ten seconds while the lag is above Bound, and one when it
// is over. The zero value but for Log and Bound is ready.
type Progress struct {
	Log   logrus.FieldLogger
	Bound time.Duration
	What  string // "the logs", "Kafka": what is caught up with

	since time.Time // of being behind; zero: it is not
	told  time.Time
	begun int64 // done then
	left  Meter // how fast what is left grows is how fast it does not shrink
	done  Meter
	last  int64
}

// every is how often it is told.
const every = 10 * time.Second

// Note takes in what was done so far and what is left, in lines, and the lag in seconds.
func (p *Progress) Note(done, left int64, lag time.Duration, now time.Time) {
	p.done.Note(done, now)
	p.left.Note(done+left, now) // what was written: never less
	p.last = left
	switch {
	case lag > p.Bound && p.since.IsZero():
		p.since, p.begun, p.told = now, done, now
		p.tell("behind "+p.What, left, lag, now)
	case lag > p.Bound && now.Sub(p.told) >= every:
		p.told = now
		p.tell("catching up with "+p.What, left, lag, now)
	case lag <= p.Bound && !p.since.IsZero():
		p.Log.WithFields(logrus.Fields{"lines": done - p.begun, "took": now.Sub(p.since).Round(time.Millisecond)}).Info("caught up with " + p.What)
		p.since = time.Time{}
	}
}

// Anew says that it is not the same any more that is followed, as after a rebalance: rates begin anew.
func (p *Progress) Anew() { p.left, p.done = Meter{}, Meter{} }

// Rate is how many lines a second are done.
func (p *Progress) Rate(now time.Time) float64 { return p.done.Rate(now) }

// Written is how many lines a second come.
func (p *Progress) Written(now time.Time) float64 { return p.left.Rate(now) }

// ETA is how long what is left takes at the rate of now; ok is false where it becomes no less.
func (p *Progress) ETA(now time.Time) (time.Duration, bool) {
	return ETA(p.last, p.Rate(now)-p.Written(now))
}

// Behind says whether it is behind at the moment, and since when.
func (p *Progress) Behind() (since time.Time, behind bool) { return p.since, !p.since.IsZero() }

func (p *Progress) tell(what string, left int64, lag time.Duration, now time.Time) {
	eta := "unknown: it becomes no less"
	if d, ok := p.ETA(now); ok {
		eta = d.Round(time.Second).String()
	}
	p.Log.WithFields(logrus.Fields{
		"lag": lag.Round(time.Millisecond), "left_lines": left, "lines_per_second": int64(p.Rate(now)),
		"written_per_second": int64(p.Written(now)), "eta": eta,
	}).Info(what)
}
