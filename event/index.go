package event

import "time"

// Class is a retention class: how long a day's events of a level are kept.
type Class struct {
	Name string
	Days int
}

// The retention classes.
var (
	ClassError = Class{"error", 180}
	ClassWarn  = Class{"warn", 90}
	ClassInfo  = Class{"info", 30}
)

// Classes gives the retention classes, longest first.
func Classes() []Class { return []Class{ClassError, ClassWarn, ClassInfo} }

// ClassOf gives the class of a log.level.
func ClassOf(level string) Class {
	switch level {
	case LevelError, LevelFatal:
		return ClassError
	case LevelWarn:
		return ClassWarn
	}
	return ClassInfo
}

// Index name patterns and prefixes, one index a day and class, a day for dead letters, a month for alerts.
const (
	EventIndices      = "im-connection-*"
	AlertIndices      = "im-alerts-*"
	NotifyIndices     = "im-notify-*" // notifications, a month of their alerts' start
	DeadLetterIndices = "im-deadletter-*"
)

// IndexFor names the index of an event by its class and its own UTC day: im-connection-error-2026.11.21.
func IndexFor(c Class, at time.Time) string {
	return "im-connection-" + c.Name + "-" + at.UTC().Format("2006.01.02")
}

// Index names the event's index.
func (e *Event) Index() string { return IndexFor(ClassOf(e.Text(FieldLogLevel)), e.Time()) }

// DeadLetterIndex names the index of dead letters of the day at: im-deadletter-2026.11.21.
func DeadLetterIndex(at time.Time) string {
	return "im-deadletter-" + at.UTC().Format("2006.01.02")
}

// AlertIndex names the index of alerts that started in the month of at: im-alerts-2026.11.
func AlertIndex(at time.Time) string { return "im-alerts-" + at.UTC().Format("2006.01") }

// MaxAhead is how far an event may be ahead of the clock before it is a dead letter.
const MaxAhead = 24 * time.Hour

// Expired says whether an event of level at the instant at is from before its class's retention.
func Expired(level string, at, now time.Time) bool {
	return at.Before(now.AddDate(0, 0, -ClassOf(level).Days))
}
