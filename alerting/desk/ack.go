package desk

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Ack says that somebody looks after an alert: it is not told again, nor passed on to others, until the time is up, it got
// worse, or it is over.
type Ack struct {
	Alert    string    `json:"alert"` // its id
	Started  time.Time `json:"started"`
	By       string    `json:"by"`
	Note     string    `json:"note,omitempty"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Severity string    `json:"severity"` // of the alert then
	// Taken is when it was taken back, and TakenBy by whom; zero: it was not.
	Taken   time.Time `json:"taken,omitzero"`
	TakenBy string    `json:"taken_by,omitempty"`
}

// Bounds of an acknowledgement: who forgets an alert must be reminded of it.
const (
	DefaultAck = 4 * time.Hour
	MaxAck     = 7 * 24 * time.Hour
	maxNote    = 1000
)

// Validate gives all faults, each with its key.
func (a *Ack) Validate() error {
	var errs []error
	if a.Alert == "" {
		errs = append(errs, errors.New("alert: an id is needed"))
	}
	if a.By == "" {
		errs = append(errs, errors.New("by: a name is needed"))
	}
	if d := a.Until.Sub(a.At); d <= 0 || d > MaxAck {
		errs = append(errs, fmt.Errorf("for: found %v, expected more than 0 and at most %v", d, MaxAck))
	}
	if len(a.Note) > maxNote || !utf8.ValidString(a.Note) {
		errs = append(errs, fmt.Errorf("note: found %d bytes, expected at most %d of UTF-8", len(a.Note), maxNote))
	}
	return errors.Join(errs...)
}

// Holds says whether the acknowledgement counts at a time for an alert of a severity: one that is worse than what was
// looked at does not let itself be put off.
func (a *Ack) Holds(severity string, now time.Time) bool {
	return a.Taken.IsZero() && now.Before(a.Until) && rank(severity) <= rank(a.Severity)
}
