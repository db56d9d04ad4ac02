package silence

import (
	"time"

	"imwatch/event"
)

// The rules of the alerts that alerting raises about silences itself, and the label that names the silence.
const (
	EndsRule        = "imwatch-silence-ends"
	MaintenanceRule = "imwatch-maintenance"
	IDLabel         = "silence"
)

// Own says whether a rule's alerts are about silences: they are not counted among what a silence holds.
func Own(ruleID string) bool { return ruleID == EndsRule || ruleID == MaintenanceRule }

// Warns gives the moment from which people are warned that the silence ends: so long before its end, but not before half
// of it has passed. Weekly ones, and those without an end, give no warning.
func (s *Silence) Warns(before time.Duration) (from time.Time, ok bool) {
	if before <= 0 || s.Until.IsZero() || len(s.Weekly) > 0 {
		return time.Time{}, false
	}
	from = s.Until.Add(-before)
	if half := s.From.Add(s.Until.Sub(s.From) / 2); !s.From.IsZero() && half.After(from) {
		from = half
	}
	return from, true
}

// EndsID is the id of the alert that warns of the silence's end: a silence whose end is moved can be warned of again.
func (s *Silence) EndsID() string { return event.AlertID(EndsRule, s.ID, s.Until.UnixNano()) }

// Ending says whether people are to be warned now.
func (s *Silence) Ending(before time.Duration, now time.Time) bool {
	from, ok := s.Warns(before)
	return ok && !now.Before(from) && s.Over(now).IsZero()
}

// Clock gives a time as the silence's zone has it.
func (s *Silence) Clock(t time.Time) string {
	z, err := zone(s.Zone)
	if err != nil {
		z = time.UTC
	}
	text := t.In(z).Format(time.RFC3339)
	if z != time.UTC {
		text += " " + s.Zone
	}
	return text
}
