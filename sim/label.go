package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"imwatch/event"
)

// The names of the shipped rules that labels speak of.
const (
	ruleErrorBurst        = "error-burst"
	ruleNodeDied          = "node-died"
	ruleNodeErrors        = "node-consecutive-errors"
	ruleFatal             = "fatal-event"
	ruleConnectFlood      = "connect-flood-by-ip"
	ruleHandshakeFailures = "handshake-failures-by-reason"
	ruleHeartbeatTimeouts = "heartbeat-timeouts-by-node"
)

// The kinds of labels.
const (
	Anomaly = "anomaly" // something is wrong: an alert should come
	Benign  = "benign"  // nothing is wrong, though it may look so: no alert should come
)

// Label is the truth about a span of time, one JSON line. An alert of any of Rules with Key in the span is right
// where Kind is [Anomaly], and wrong where it is [Benign].
type Label struct {
	Scenario string
	Kind     string
	From, To time.Time
	Key      map[string]string // nil: any key
	Rules    []string          // empty: any rule
	ImpactAt time.Time         // when users begin to be hurt; zero: none is
}

type labelLine struct {
	Scenario string            `json:"scenario"`
	Kind     string            `json:"kind"`
	From     string            `json:"from"`
	To       string            `json:"to"`
	Key      map[string]string `json:"key"`
	Rules    []string          `json:"rules"`
	ImpactAt *string           `json:"impact_at"`
}

// MarshalJSON writes the label line of the contract; the same label gives the same bytes.
func (l Label) MarshalJSON() ([]byte, error) {
	line := labelLine{
		Scenario: l.Scenario, Kind: l.Kind, From: event.FormatTime(l.From), To: event.FormatTime(l.To), Key: l.Key, Rules: l.Rules,
	}
	if line.Rules == nil {
		line.Rules = []string{}
	}
	if !l.ImpactAt.IsZero() {
		at := event.FormatTime(l.ImpactAt)
		line.ImpactAt = &at
	}
	return json.Marshal(line)
}

// UnmarshalJSON reads a label line. Unknown keys, times that are not RFC 3339 and a span that ends before it begins
// are errors.
func (l *Label) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	var line labelLine
	if err := dec.Decode(&line); err != nil {
		return fmt.Errorf("reading label: %w", err)
	}
	*l = Label{Scenario: line.Scenario, Kind: line.Kind, Key: line.Key, Rules: line.Rules}
	if !slices.Contains([]string{Anomaly, Benign}, l.Kind) {
		return fmt.Errorf("reading label: kind: found %q, allowed are %q and %q", l.Kind, Anomaly, Benign)
	}
	var err error
	if l.From, err = labelTime("from", line.From); err != nil {
		return err
	}
	if l.To, err = labelTime("to", line.To); err != nil {
		return err
	}
	if l.To.Before(l.From) {
		return fmt.Errorf("reading label: to is %s, before from, %s", line.To, line.From)
	}
	if line.ImpactAt != nil {
		l.ImpactAt, err = labelTime("impact_at", *line.ImpactAt)
	}
	return err
}

func labelTime(name, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading label: %s: found %q, expected RFC 3339", name, text)
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("reading label: %s: found %q, allowed are the years 1 to 9999", name, text)
	}
	return t, nil
}

// WriteLabels writes one line a label.
func WriteLabels(w io.Writer, labels []Label) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, l := range labels {
		if err := enc.Encode(l); err != nil {
			return fmt.Errorf("writing labels: %w", err)
		}
	}
	return nil
}

// ReadLabels reads label lines; empty ones are passed over. All bad lines are named in the error, by number.
func ReadLabels(r io.Reader) ([]Label, error) {
	var labels []Label
	err := eachLine(r, "labels", func(line []byte) error {
		var l Label
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		labels = append(labels, l)
		return nil
	})
	return labels, err
}

// maxFaults is how many bad lines an error names before it stops: a file of the wrong kind is bad on every line.
const maxFaults = 10

func eachLine(r io.Reader, what string, f func([]byte) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	var errs []error
	n := 0
	for sc.Scan() && len(errs) < maxFaults {
		n++
		if len(strings.TrimSpace(sc.Text())) == 0 {
			continue
		}
		if err := f(sc.Bytes()); err != nil {
			errs = append(errs, fmt.Errorf("%s, line %d: %w", what, n, err))
		}
	}
	if err := sc.Err(); err != nil {
		errs = append(errs, fmt.Errorf("%s, line %d: %w", what, n+1, err))
	}
	return errors.Join(errs...)
}
