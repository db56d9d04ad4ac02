package kafkabus

import (
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// outage logs a failure that repeats itself: when it is more than a hiccup, every now and then, and when it is over.
type outage struct {
	bus    *Bus
	doing  string
	since  time.Time
	tries  int
	logged bool
}

// warnEvery is how often outages may warn in all: when a broker goes, everything that talks to it notices.
const warnEvery = 5 * time.Second

func (b *Bus) outage(doing string) *outage { return &outage{bus: b, doing: doing} }

func (o *outage) failed(err error) {
	o.tries++
	if o.since.IsZero() {
		o.since = time.Now()
	}
	// A single failure is the everyday of a moving cluster.
	if o.tries > 1 && o.bus.warned.allow(time.Now()) {
		o.logged = true
		o.bus.log.WithError(err).WithFields(logrus.Fields{"doing": o.doing, "since": o.since, "tries": o.tries}).
			Warn("Kafka does not answer; trying again")
	}
}

func (o *outage) over() {
	if o.logged {
		o.bus.log.WithFields(logrus.Fields{"doing": o.doing, "after": time.Since(o.since), "tries": o.tries}).
			Info("Kafka answers again")
	}
	o.since, o.tries, o.logged = time.Time{}, 0, false
}

// limiter lets something happen once in warnEvery.
type limiter struct{ last atomic.Int64 }

func (l *limiter) allow(now time.Time) bool {
	last := l.last.Load()
	return now.UnixNano()-last >= int64(warnEvery) && l.last.CompareAndSwap(last, now.UnixNano())
}
