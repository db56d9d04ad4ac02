package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
)

// The states of a rule's life (status).
const (
	StatusEnabled  = "enabled"
	StatusShadow   = "shadow"   // evaluated and stored, not notified
	StatusDisabled = "disabled" // loaded and checked, not evaluated
)

// The evaluators that a rule asks for (mode).
const (
	ModeStream = "stream"
	ModeQuery  = "query"
	ModeBoth   = "both" // and their alerts are compared
)

// What holds where a rule says nothing.
const (
	DefaultLateness = 2 * time.Second
	DefaultIdle     = 30 * time.Second
	DefaultKeys     = 200_000
	DefaultKeep     = 5
	DefaultMaxGap   = 10 * time.Minute
)

// Missing is the key value of a field that an event lacks.
const Missing = "_missing"

// Rule is one rule, checked and with its defaults filled in. It is never changed after loading and safe for
// concurrent use.
type Rule struct {
	ID           string
	Title        string
	Severity     string // one of event.Severities
	SeverityWhen []Escalation
	Owner        string
	Status       string
	Mode         string

	Where     filter.Expr // filter.All where the rule has none
	WhereText string      // the KQL as written, "" where the rule has none
	GroupBy   []filter.Field
	Detect    Detect
	Time      Time
	When      *When         // nil: always
	For       time.Duration // the condition must hold this long first
	Resolve   Resolve
	Limits    Limits

	Labels      map[string]string
	Annotations []Annotation // in order of name
	Evidence    Evidence
	Tests       []Test

	File  string   // where it was read
	Line  int      // of its first key
	Files []string // what else it was read from: a change of these changes the rule
}

// Time says how event time is taken.
type Time struct {
	Lateness time.Duration // disorder that is waited for; default 2s
	Idle     time.Duration // silence after which a node no longer holds the watermark; default 30s
}

// Resolve says when an alert ends.
type Resolve struct {
	After time.Duration // event time without the condition; default 0
}

// Limits bound a rule's state.
type Limits struct {
	Keys int // keys with exact state; default 200,000
}

// Evidence says what an alert carries along.
type Evidence struct {
	Keep int   // event ids kept; default 5
	Top  []Top // fields whose most frequent values are told, in the rule's order
}

// Top asks for the N most frequent values of a field.
type Top struct {
	Field filter.Field
	N     int
}

// Escalation raises the severity while the value satisfies a comparison.
type Escalation struct {
	Severity string
	Is       Comparison
}

// SeverityAt gives the severity for a value: the highest of the rule's own and those whose comparison holds.
func (r *Rule) SeverityAt(value float64) string {
	best := r.Severity
	for _, e := range r.SeverityWhen {
		if severityRank(e.Severity) > severityRank(best) && e.Is.Holds(value) {
			best = e.Severity
		}
	}
	return best
}

func severityRank(s string) int {
	for i, have := range event.Severities() {
		if s == have {
			return i
		}
	}
	return -1
}

// Fingerprint gives a short hash of all that decides which alerts the rule raises and what state it keeps: where,
// group_by, detect, time, when (the name of the calendar, not what stands in it), for, resolve and limits. State kept
// under another fingerprint must not be taken over. Title, severity, labels, annotations and tests do not count.
func (r *Rule) Fingerprint() string {
	names := make([]string, len(r.GroupBy))
	for i, f := range r.GroupBy {
		names[i] = f.Name
	}
	// %q keeps the parts apart, whatever they hold.
	text := fmt.Appendf(nil, "%q %q %q %s %d %d %d %d %d", r.ID, r.WhereText, strings.Join(names, " "), r.Detect.canonical(),
		r.Time.Lateness, r.Time.Idle, r.For, r.Resolve.After, r.Limits.Keys)
	if w := r.When; w != nil {
		text = fmt.Appendf(text, " when %q %v", w.Name, w.Inside)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
