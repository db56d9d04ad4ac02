package imserver

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/event"
	"imwatch/im-server/framing"
)

// What connections are ended for, beside the kinds of framing.Error (kind of im_server_abuse_total).
const (
	abuseDrip  = "drip"  // a message that was begun and not finished in time
	abuseFlood = "flood" // too many frames that are no messages
)

// newAbuse counts what clients do that no honest one does.
func newAbuse() *prometheus.CounterVec {
	v := counters("abuse_total", "Connections that were ended for what they sent, by kind: frame, utf8, packed, size, unpacked, fragments, drip, flood.", "kind")
	for _, k := range framing.Kinds() {
		v.WithLabelValues(string(k))
	}
	for _, k := range []string{abuseDrip, abuseFlood} {
		v.WithLabelValues(k)
	}
	return v
}

// badFrame ends a connection for what it has sent, and says whether nothing more can be read of it.
func (c *conn) badFrame(bad *framing.Error) (over bool) {
	r := event.CloseProtocolError
	if bad.Code == event.CloseMessageTooBig.Code {
		r = event.CloseMessageTooBig
	}
	r.Code = bad.Code // as RFC 6455 demands
	c.mu.Lock()
	begun := c.beginEnd(r, 0, bad)
	c.ending.linger = begun && bad.Broken
	c.mu.Unlock()
	if begun {
		c.logAbuse(event.ActionMessageRejected, r, string(bad.Kind), bad)
		c.s.metrics.rejected.WithLabelValues(r.Reason).Inc()
	}
	return bad.Broken
}

// withinSpare says whether the client may send this frame, which is no message: a ping, a pong, a fragment with nothing
// in it. Nobody needs many of them, so there is no second chance.
func (c *conn) withinSpare() bool {
	l := &c.s.conf().Limits
	if l.ControlRate == 0 {
		return true
	}
	if _, ok := c.spare.take(c.s.clock(), l.ControlRate, l.ControlBurst); ok {
		return true
	}
	err := &floodError{l.ControlRate}
	if c.end(event.CloseRateLimited, rateGrace, err) {
		c.logAbuse(event.ActionRateLimited, event.CloseRateLimited, abuseFlood, err)
	}
	return false
}

// floodError is a client that sends too many frames that are no messages.
type floodError struct{ rate float64 }

func (e *floodError) Error() string {
	return fmt.Sprintf("more than %v pings, pongs and empty fragments a second", e.rate)
}

// logAbuse writes what a client did. One without a session has a failed handshake for it.
func (c *conn) logAbuse(a event.Action, r event.CloseReason, kind string, err error) {
	c.s.metrics.abuse.WithLabelValues(kind).Inc()
	if c.sess == nil {
		return
	}
	ev := c.event(a)
	ev.SetText(event.FieldEventReason, r.Reason)
	ev.SetText(event.FieldErrorCode, kind)
	ev.SetText(event.FieldErrorMessage, err.Error())
	ev.SetText(event.FieldMessageDirection, "in")
	c.s.emit(ev)
}
