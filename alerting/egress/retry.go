package egress

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting/channel"
)

// maxAfter bounds what a provider may ask us to wait: past it the deadline of the notification decides.
const maxAfter = time.Hour

// RetryAfter reads the Retry-After header, in seconds or as a date; 0 when it is absent or makes no sense.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if s, err := strconv.Atoi(text); err == nil {
		return min(max(0, time.Duration(min(s, 1<<20))*time.Second), maxAfter)
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(0, t.Sub(now)), maxAfter)
	}
	return 0
}

// Failed gives the result of a Do that returned an error.
func Failed(err error) channel.Result {
	if NotSent(err) {
		return channel.TryLater(0, "%v", err)
	}
	return channel.NoAnswer("%v", err)
}

// ByStatus gives the result of an answer whose status alone says that it was not taken; ok is false for 2xx, where
// the body may have more to say. 408, 425, 429 and 5xx may be taken later, with the provider's Retry-After.
func ByStatus(a Answer, now time.Time) (r channel.Result, ok bool) {
	switch {
	case a.Status >= 200 && a.Status < 300:
		return channel.Result{}, false
	case a.Status == http.StatusTooManyRequests, a.Status == http.StatusRequestTimeout, a.Status == http.StatusTooEarly, a.Status >= 500:
		return channel.TryLater(RetryAfter(a.Header, now), "HTTP %d: %s", a.Status, a.Body), true
	case a.Status >= 300 && a.Status < 400:
		return channel.Refuse("HTTP %d: redirects are not followed", a.Status), true
	}
	return channel.Refuse("HTTP %d: %s", a.Status, a.Body), true
}
