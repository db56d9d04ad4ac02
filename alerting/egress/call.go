package egress

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"imwatch/alerting/channel"
)

// Call posts v as JSON. The answer is to be judged, unless done says that the result is known already: nothing came
// back, or v could not be sent. Secrets are taken out of the answer.
func Call(ctx context.Context, c *http.Client, address string, v any, secrets ...string) (a Answer, r channel.Result, done bool) {
	body, err := Encode(v)
	if err != nil {
		return a, channel.Refuse("%v", err), true
	}
	req, err := Post(ctx, address, body)
	if err != nil {
		return a, channel.Refuse("%v", err), true
	}
	a, err = Do(ctx, c, req)
	if err != nil {
		return a, Failed(err), true
	}
	return a.Without(secrets...), channel.Result{}, false
}

// Clock tells the time as a provider sees it. Providers refuse a signature whose time is too far from theirs, so a
// machine whose clock is wrong could tell nobody; it learns the difference from the answer. Safe for concurrent use.
type Clock struct {
	now func() time.Time
	off atomic.Int64 // what to add, ns
}

// minOff is the least difference that is corrected: less than what any provider refuses, more than a slow answer.
const minOff = 30 * time.Second

// NewClock makes a clock; now nil: time.Now.
func NewClock(now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	return &Clock{now: now}
}

// Now gives the provider's time.
func (c *Clock) Now() time.Time { return c.now().Add(time.Duration(c.off.Load())) }

// Own gives the machine's time.
func (c *Clock) Own() time.Time { return c.now() }

// Learn reads the Date of an answer that refused a signature, and says whether the clock was wrong and is right now.
func (c *Clock) Learn(a Answer) bool {
	theirs, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil || c.Now().Sub(theirs).Abs() < minOff {
		return false
	}
	c.off.Store(int64(theirs.Sub(c.now())))
	return true
}

// Twice makes an attempt, and at once a second one where the first was refused for a token or a clock that is renewed
// now.
func Twice(attempt func() channel.Result) channel.Result {
	r := attempt()
	if r.Verdict == channel.Refresh {
		r = attempt()
	}
	return r
}
