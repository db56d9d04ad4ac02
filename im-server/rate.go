package imserver

import (
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// tokenBucket is a token bucket. The zero one is full.
type tokenBucket struct {
	tokens float64
	at     int64 // clock
	begun  bool
}

// sendBucket is the bucket of the messages that one client may send. Owned by the read goroutine.
type sendBucket struct {
	tokenBucket
	refused int64 // messages since it was told last
	toldAt  int64 // clock
	told    bool
	since   int64 // clock when it began to refuse, with no quiet second since
}

// take takes one token, and says how long to wait where there is none.
func (b *tokenBucket) take(now int64, rate float64, burst int) (wait time.Duration, ok bool) {
	if !b.begun {
		b.begun, b.tokens, b.at = true, float64(burst), now
	}
	b.tokens = min(float64(burst), b.tokens+rate*time.Duration(now-b.at).Seconds())
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0, true
	}
	return time.Duration((1 - b.tokens) / rate * float64(time.Second)), false
}

const (
	rateFold  = 10 * time.Second // one line for what was refused meanwhile
	rateGrace = 30 * time.Second // a client that is refused all this time is closed
	rateQuiet = time.Second      // without a refusal: it has understood
)

// withinRate says whether the client may send this message; else it has been told, and the log too.
func (c *conn) withinRate(e protocol.Envelope) bool {
	limits := &c.s.conf().Limits
	if limits.MessageRate == 0 {
		return true
	}
	now, b := c.s.clock(), &c.rate
	wait, ok := b.take(now, limits.MessageRate, limits.MessageBurst)
	if ok {
		return true
	}
	if !b.told || b.refused == 0 && now-b.toldAt > int64(rateQuiet) {
		b.since = now
	}
	b.refused++
	c.s.metrics.rejected.WithLabelValues(string(protocol.CodeRateLimited)).Inc()
	c.reply(protocol.TypeError, "", &protocol.Error{
		Code: protocol.CodeRateLimited, Text: "too many messages", Ref: e.ID, RetryMS: max(1, wait.Milliseconds()),
	})
	if !b.told || now-b.toldAt >= int64(rateFold) {
		c.logRate(b, now)
	}
	if now-b.since >= int64(rateGrace) {
		c.end(event.CloseRateLimited, rateGrace, nil)
	}
	return false
}

// logRate writes one line for all messages that were refused since the one before.
func (c *conn) logRate(b *sendBucket, now int64) {
	ev := c.event(event.ActionRateLimited)
	ev.SetText(event.FieldEventReason, event.CloseRateLimited.Reason)
	if b.refused > 1 {
		ev.SetFloat(event.FieldSampleWeight, float64(b.refused))
	}
	c.s.emit(ev)
	b.told, b.toldAt, b.refused = true, now, 0
}
