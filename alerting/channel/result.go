package channel

import (
	"fmt"
	"time"
)

// Verdict is what became of one attempt.
type Verdict uint8

// The verdicts.
const (
	Accepted   Verdict = iota // the provider has taken it
	Partial                   // some addresses took it, the others refused for good: trying again is no use
	Retry                     // not taken; a later attempt may be
	Unanswered                // handed over, and no answer came: it may or may not have been taken
	Permanent                 // refused for good
	Refresh                   // not taken, as the token had ended; the next attempt uses a new one
)

// String gives the verdict as metrics and the ledger write it.
func (v Verdict) String() string {
	return [...]string{"accepted", "partial", "retry", "unanswered", "permanent", "refresh"}[v]
}

// Final says whether no further attempt is to be made.
func (v Verdict) Final() bool { return v == Accepted || v == Partial || v == Permanent }

// Result is a provider's answer.
type Result struct {
	Verdict Verdict
	// After is how long the provider wants the whole receiver to wait, for Retry; 0: it did not say.
	After time.Duration
	// Words are the provider's own, without secrets, at most a few hundred bytes.
	Words string
	// Took names the addresses that accepted in this attempt, for channels that have several.
	Took []string
}

// Accept is the result of a provider that has taken the notification.
func Accept(words string) Result { return Result{Verdict: Accepted, Words: clip(words)} }

// TryLater is the result of a provider that may take it later; after 0 leaves the time to the caller.
func TryLater(after time.Duration, format string, args ...any) Result {
	return Result{Verdict: Retry, After: after, Words: clip(fmt.Sprintf(format, args...))}
}

// Refuse is the result of a provider that will never take it.
func Refuse(format string, args ...any) Result {
	return Result{Verdict: Permanent, Words: clip(fmt.Sprintf(format, args...))}
}

// Renew is the result of a provider that did not take it because of a token or a time that is renewed now.
func Renew(format string, args ...any) Result {
	return Result{Verdict: Refresh, Words: clip(fmt.Sprintf(format, args...))}
}

// NoAnswer is the result of an attempt that was handed over without an answer.
func NoAnswer(format string, args ...any) Result {
	return Result{Verdict: Unanswered, Words: clip(fmt.Sprintf(format, args...))}
}
