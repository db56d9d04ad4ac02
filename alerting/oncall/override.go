package oncall

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Override puts one person in place of whoever would be on call, for a time. Of several that are on, the one made last
// counts. One that people make begins when it is made, or later: who was on call is never changed afterwards.
type Override struct {
	ID       string    `json:"id"`
	Schedule string    `json:"schedule"`
	Person   string    `json:"person"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Author   string    `json:"author"`
	Reason   string    `json:"reason,omitempty"`
	Made     time.Time `json:"made"`
	// Ended is when somebody ended it before its time, and EndedBy who; zero: nobody did.
	Ended   time.Time `json:"ended,omitzero"`
	EndedBy string    `json:"ended_by,omitempty"`
}

// MaxOverride bounds how long somebody stands in: a longer time is a change of the schedule.
const MaxOverride = 92 * day

const maxText = 1000

// Validate gives all faults, each with its key. Whether person and schedule are there is not looked at.
func (o *Override) Validate() error {
	var errs []error
	for _, t := range []struct{ key, text string }{{"schedule", o.Schedule}, {"person", o.Person}, {"author", o.Author}} {
		if strings.TrimSpace(t.text) == "" || len(t.text) > maxText || !utf8.ValidString(t.text) {
			errs = append(errs, fmt.Errorf("%s: found %d bytes, expected 1 to %d of UTF-8", t.key, len(t.text), maxText))
		}
	}
	if len(o.Reason) > maxText || !utf8.ValidString(o.Reason) {
		errs = append(errs, fmt.Errorf("reason: found %d bytes, expected at most %d of UTF-8", len(o.Reason), maxText))
	}
	switch d := o.Until.Sub(o.From); {
	case o.Until.IsZero():
		errs = append(errs, errors.New("until: needed: nobody stands in for ever"))
	case d <= 0:
		errs = append(errs, fmt.Errorf("until: %s is not after from, %s", o.Until.Format(time.RFC3339), o.From.Format(time.RFC3339)))
	case d > MaxOverride:
		errs = append(errs, fmt.Errorf("until: found %v after from, expected at most %v: change the schedule", d, MaxOverride))
	}
	return errors.Join(errs...)
}

// end gives when it is over.
func (o *Override) end() time.Time {
	if !o.Ended.IsZero() && o.Ended.Before(o.Until) {
		return o.Ended
	}
	return o.Until
}

// Over says whether it is over at a time.
func (o *Override) Over(now time.Time) bool { return !now.Before(o.end()) }

// standing gives who stands in at an instant, with whose override, and a time before which that does not change; the zero
// time: never. list is in the order in which they were made. Who is unknown does not stand in.
func standing(list []*Override, schedule string, t time.Time, known func(person string) bool) (on *Override, until time.Time) {
	for _, o := range list {
		if o.Schedule != schedule || !known(o.Person) || !t.Before(o.end()) {
			continue
		}
		if t.Before(o.From) {
			until = sooner(until, o.From)
			continue
		}
		if on == nil || !o.Made.Before(on.Made) {
			on = o
		}
		until = sooner(until, o.end())
	}
	return on, until
}

// sooner gives the earlier of two times, of which the zero time is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
