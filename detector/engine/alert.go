package engine

import (
	"time"

	"imwatch/event"
)

func alertID(ruleID, key string, start int64) string { return event.AlertID(ruleID, key, start) }

// emit makes the line of a state change.
func (r *runner) emit(k *keyState, sp *spell, state string, m moment, value float64) {
	a := r.newAlert(r.space.texts.get(k.key), sp, state, m, value)
	since := k.condition.Since(m.at)
	k.evidence.Trim(since)
	a.EvidenceIDs = k.evidence.IDs(since, r.rule.Evidence.Keep)
	for i, top := range r.rule.Evidence.Top {
		if values := k.evidence.Top(since, uint8(i), top.N); len(values) > 0 { //nolint:gosec // a rule has few fields
			if a.Top == nil {
				a.Top = map[string][]event.TopValue{}
			}
			a.Top[top.Field.Name] = values
		}
	}
	r.render(a)
	r.engine.alerts = append(r.engine.alerts, a)
}

func (r *runner) newAlert(key string, sp *spell, state string, m moment, value float64) *event.Alert {
	a := &event.Alert{
		Time: instant(m.at), TimeText: m.text,
		From: instant(sp.start), FromText: sp.text,
		ID: sp.id, State: state, FirstEvent: sp.first,
		RuleID: r.rule.ID, RuleName: r.rule.Title, Status: r.rule.Status, Labels: r.rule.Labels,
		Severity: sp.severity, Value: value, Degraded: sp.degraded,
		Limit: r.rule.Detect.Limit(), Window: r.rule.Detect.WindowText(),
	}
	if state == event.StateResolved {
		a.To, a.ToText = a.Time, a.TimeText
	}
	parts, _ := splitKey(key, len(r.space.fields))
	for i, p := range parts {
		a.Key = append(a.Key, event.KeyPart{Field: r.space.fields[i].Name, Value: p.String()})
	}
	return a
}

// render fills the annotations. A text that cannot be rendered is told, and the alert goes out with what there is.
func (r *runner) render(a *event.Alert) {
	if err := r.rule.Render(a); err != nil && r.engine.options.Fault != nil {
		r.engine.options.Fault(&RuleError{r.rule.ID, err})
	}
}

// RuleError is a fault in one rule.
type RuleError struct {
	RuleID string
	Err    error
}

func (e *RuleError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *RuleError) Unwrap() error { return e.Err }

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// AlertID names a spell of a rule for the values of a key, which began at an instant. It is the same in every
// evaluator and after every restart.
func AlertID(ruleID string, key []Part, start time.Time) string {
	var b []byte
	for _, p := range key {
		b = appendPart(b, p.Text, p.Missing)
	}
	return alertID(ruleID, string(b), start.UnixNano())
}
