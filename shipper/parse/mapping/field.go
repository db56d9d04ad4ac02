package mapping

import "strings"

// Names is a list that may be written as one text.
type Names []string

// UnmarshalText takes a single name.
func (n *Names) UnmarshalText(b []byte) error {
	*n = Names{string(b)}
	return nil
}

// Condition is what values must be like, all of them: a text, with * for anything, without regard to case; or > >= <
// <= and a number; with ! in front the opposite. "*" alone is any value, "!*" none. Of several texts one must fit.
type Condition map[string]Names

// Field fills one field of the event.
type Field struct {
	To    string            `yaml:"to" doc:"field of the contract, labels.NAME, timestamp, or request (the first line of an HTTP request)"`
	From  Names             `yaml:"from" doc:"name of the value in the line, dotted for JSON; of several the first that has a value counts"`
	Value string            `yaml:"value" doc:"constant, where no from is given or none has a value"`
	Unit  string            `yaml:"unit" doc:"of a bare number that is a duration or an instant: ns, us, ms, s, m, h; go: with a fraction seconds, else ns, as Go's loggers write; empty: s, and instants by time_layouts"`
	Map   map[string]string `yaml:"map" doc:"table from values, without regard to case, to what they become; * is any other, which else stays as it is"`
	When  Condition         `yaml:"when" doc:"only for lines whose values fit: text with *, or > >= < <= and a number, ! in front for the opposite"`
	Bad   string            `yaml:"bad" doc:"what becomes of a value that does not fit the field: refuse (the line is a dead letter), label (it becomes a label, the event goes on) or skip; empty: refuse"`
}

// What becomes of a value that does not fit its field.
const (
	Refuse = "refuse"
	Label  = "label"
	Skip   = "skip"
)

// What becomes of values that no entry takes.
const (
	Keep   = "keep"   // beside the contract's fields, below Foreign, not to be searched for
	Labels = "labels" // as labels, which can be searched for; for lines with few different names only
	Drop   = "drop"
)

// Foreign is the object in which values stand that no entry takes.
const Foreign = "foreign"

// The names in To that are no field of the contract.
const (
	toTimestamp = "timestamp"
	toRequest   = "request"
	toAction    = "event.action"
)

// fold is how texts are compared.
func fold(s string) string { return strings.ToLower(s) }
