package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// The states of an alert (im.alert.state).
const (
	StateFiring   = "firing"
	StateUpdated  = "updated"
	StateResolved = "resolved"
)

// Severities gives the severities from the least to the most.
func Severities() []string { return []string{"info", "warn", "high", "critical"} }

// KeyPart is one field of an alert's key.
type KeyPart struct{ Field, Value string }

// TopValue is a frequent value of the evidence.
type TopValue struct {
	Value string  `json:"value"`
	Count float64 `json:"count"`
}

// Alert is one state change of an alert: what goes to im.alerts, into the store and to people.
// ID is the same for every state of one spell.
type Alert struct {
	Time        time.Time // moment of the state change, in event time
	ID          string
	State       string
	RuleID      string
	RuleName    string
	Status      string // enabled or shadow
	Severity    string
	Key         []KeyPart // in the rule's order of group_by
	Value       float64
	Limit       string
	Window      string // as in the rule; "" where the type has none
	From        time.Time
	To          time.Time // zero unless resolved
	TimeText    string    // the letters of Time, From and To where they came from a line; "": FormatTime
	FromText    string
	ToText      string
	FirstEvent  string
	EvidenceIDs []string
	Top         map[string][]TopValue
	Degraded    bool
	Labels      map[string]string
	Annotations map[string]string // rendered; summary and runbook among them
}

// DocID names the document of this state change: alert id and state, the moment for updates.
func (a *Alert) DocID() string {
	if a.State == StateUpdated {
		return a.ID + "-" + a.State + "-" + a.Time.UTC().Format("20060102T150405.000000000")
	}
	return a.ID + "-" + a.State
}

// AlertID names a spell: a hash of rule, key and start (ns), each with its length, so that nothing else has the same
// bytes. It is the same in every evaluator and after every restart.
func AlertID(ruleID, key string, start int64) string {
	b := binary.AppendUvarint(nil, uint64(len(ruleID)))
	b = append(b, ruleID...)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.BigEndian.AppendUint64(b, uint64(start)) //nolint:gosec // the same bits
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// alertLine is the wire form, nested as an event's.
type alertLine struct {
	Timestamp string            `json:"@timestamp"`
	ECS       ecsPart           `json:"ecs"`
	Event     alertEvent        `json:"event"`
	Rule      alertRule         `json:"rule"`
	Labels    map[string]string `json:"labels,omitempty"`
	IM        struct {
		Alert alertBody `json:"alert"`
	} `json:"im"`
	Message string `json:"message,omitempty"`
}

type ecsPart struct {
	Version string `json:"version"`
}

type alertEvent struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Dataset string `json:"dataset"`
}

type alertRule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type alertBody struct {
	ID          string            `json:"id"`
	State       string            `json:"state"`
	Status      string            `json:"status"`
	Severity    string            `json:"severity"`
	Key         keyObject         `json:"key"`
	Value       float64           `json:"value"`
	Limit       string            `json:"limit"`
	Window      string            `json:"window,omitempty"`
	From        string            `json:"from"`
	To          string            `json:"to,omitempty"`
	FirstEvent  string            `json:"first_event,omitempty"`
	Evidence    *evidence         `json:"evidence,omitempty"`
	Degraded    bool              `json:"degraded,omitempty"`
	Summary     string            `json:"summary,omitempty"`
	Runbook     string            `json:"runbook,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type evidence struct {
	IDs []string              `json:"ids,omitempty"`
	Top map[string][]TopValue `json:"top,omitempty"`
}

// keyObject keeps the order of the key's fields, which a map would lose.
type keyObject []KeyPart

func (k keyObject) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, p := range k {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, p.Field)
		b = append(b, ':')
		b = appendString(b, p.Value)
	}
	return append(b, '}'), nil
}

func (k *keyObject) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		value, err := dec.Token()
		if err != nil {
			return err
		}
		n, okName := name.(string)
		v, okValue := value.(string)
		if !okName || !okValue {
			return fmt.Errorf("im.alert.key: found %v: %v, expected strings", name, value)
		}
		*k = append(*k, KeyPart{n, v})
	}
	return nil
}

// MarshalJSON writes the alert line of the contract. The same alert gives the same bytes. Called directly, not through
// json.Marshal, it keeps '<' and '>' readable.
func (a *Alert) MarshalJSON() ([]byte, error) {
	l := alertLine{
		Timestamp: textOr(a.TimeText, a.Time),
		ECS:       ecsPart{ECSVersion},
		Event:     alertEvent{ID: a.DocID(), Kind: "alert", Dataset: DatasetAlert},
		Rule:      alertRule{a.RuleID, a.RuleName},
		Labels:    a.Labels,
	}
	l.IM.Alert = alertBody{
		ID: a.ID, State: a.State, Status: a.Status, Severity: a.Severity, Key: a.Key, Value: a.Value, Limit: a.Limit,
		Window: a.Window, From: textOr(a.FromText, a.From), FirstEvent: a.FirstEvent, Degraded: a.Degraded,
	}
	body := &l.IM.Alert
	if !a.To.IsZero() {
		body.To = textOr(a.ToText, a.To)
	}
	if len(a.EvidenceIDs) > 0 || len(a.Top) > 0 {
		body.Evidence = &evidence{a.EvidenceIDs, a.Top}
	}
	for name, text := range a.Annotations {
		switch name {
		case "summary":
			body.Summary, l.Message = text, text
		case "runbook":
			body.Runbook = text
		default:
			if body.Annotations == nil {
				body.Annotations = map[string]string{}
			}
			body.Annotations[name] = text
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("encoding alert %s: %w", a.ID, err)
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

func textOr(text string, t time.Time) string {
	if text != "" {
		return text
	}
	return FormatTime(t)
}

// UnmarshalJSON reads an alert line. Times keep their instant; a line without id, state, rule or start is an error.
func (a *Alert) UnmarshalJSON(b []byte) error {
	var l alertLine
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf("reading alert line: %w", err)
	}
	body := l.IM.Alert
	if body.ID == "" || body.State == "" || l.Rule.ID == "" {
		return fmt.Errorf("reading alert line: im.alert.id, im.alert.state and rule.id are needed")
	}
	*a = Alert{
		ID: body.ID, State: body.State, RuleID: l.Rule.ID, RuleName: l.Rule.Name, Status: body.Status, Severity: body.Severity,
		Key: body.Key, Value: body.Value, Limit: body.Limit, Window: body.Window, FirstEvent: body.FirstEvent,
		Degraded: body.Degraded, Labels: l.Labels, Annotations: body.Annotations,
	}
	if body.Evidence != nil {
		a.EvidenceIDs, a.Top = body.Evidence.IDs, body.Evidence.Top
	}
	for name, text := range map[string]string{"summary": body.Summary, "runbook": body.Runbook} {
		if text != "" {
			if a.Annotations == nil {
				a.Annotations = map[string]string{}
			}
			a.Annotations[name] = text
		}
	}
	return a.readTimes(l.Timestamp, body.From, body.To)
}

func (a *Alert) readTimes(at, from, to string) error {
	for _, f := range []struct {
		name, text string
		into       *time.Time
		letters    *string
		optional   bool
	}{
		{"@timestamp", at, &a.Time, &a.TimeText, false},
		{"im.alert.from", from, &a.From, &a.FromText, false},
		{"im.alert.to", to, &a.To, &a.ToText, true},
	} {
		if f.optional && f.text == "" {
			continue
		}
		t, ok := parseTime(f.text)
		if !ok {
			return fmt.Errorf("reading alert line: %s: found %q, expected %s", f.name, f.text, expected(Date))
		}
		*f.into = t.UTC()
		if FormatTime(t) != f.text {
			*f.letters = f.text
		}
	}
	return nil
}

// KeyString prints the key for people: "client.ip=192.0.2.1, user.id=u1"; "all" where there is none.
func (a *Alert) KeyString() string {
	if len(a.Key) == 0 {
		return "all"
	}
	var b []byte
	for i, p := range a.Key {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, p.Field...)
		b = append(b, '=')
		b = append(b, p.Value...)
	}
	return string(b)
}
