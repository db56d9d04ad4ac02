package detector

import (
	"fmt"
	"maps"
	"time"

	"imwatch/detector/query"
	"imwatch/detector/window"
	"imwatch/event"
)

// RulesStatus is what runs and how it fares, for people and tools.
type RulesStatus struct {
	AsOf    *time.Time    `json:"as_of"` // when the counts were taken; null before the first time
	Rules   []RuleStatus  `json:"rules"` // in order of id
	Refused []RuleRefused `json:"refused"`
}

// RuleStatus says how one rule fares. Counts are those of the process since the rule was loaded in a form that
// decides otherwise; they are 0 for what the rule's mode does not do.
type RuleStatus struct {
	ID          string            `json:"id"`
	Title       string            `json:"title"`
	Status      string            `json:"status"`
	Mode        string            `json:"mode"`
	Type        string            `json:"type"`
	Severity    string            `json:"severity"`
	Owner       string            `json:"owner,omitempty"`
	Source      string            `json:"source"` // file:line
	Fingerprint string            `json:"fingerprint"`
	LoadedAt    time.Time         `json:"loaded_at"`
	Keys        int               `json:"keys"`
	StateBytes  int64             `json:"state_bytes"` // an estimate
	Events      uint64            `json:"events"`
	Evaluations uint64            `json:"evaluations"`
	Late        uint64            `json:"late_events"`
	Overflow    uint64            `json:"overflow_keys"`
	Lost        uint64            `json:"overflow_lost"`
	LastEvent   *time.Time        `json:"last_event,omitempty"`
	CostNs      int64             `json:"ns_per_event,omitempty"` // average of some
	Alerts      map[string]uint64 `json:"alerts"`                 // state changes told, by state
	LastAlert   *LastAlert        `json:"last_alert,omitempty"`
	LastError   *LastError        `json:"last_error,omitempty"`
	Query       *QueryStatus      `json:"query,omitempty"` // the last run
}

// LastAlert is the state change told last.
type LastAlert struct {
	ID    string    `json:"id"`
	State string    `json:"state"`
	Key   string    `json:"key"`
	At    time.Time `json:"at"` // event time
	Value float64   `json:"value"`
}

// LastError is what went wrong last.
type LastError struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// QueryStatus is the last run of a rule's query.
type QueryStatus struct {
	At         time.Time `json:"at"`
	Until      time.Time `json:"until"` // up to where everything is evaluated
	Seconds    float64   `json:"seconds"`
	Keys       int       `json:"keys"`
	Candidates int       `json:"candidates"`
	Events     int       `json:"events"`
	Late       int       `json:"late_documents"`
	Error      string    `json:"error,omitempty"`
}

// RuleRefused is a rule, or a whole file, that was not taken in at the last loading.
type RuleRefused struct {
	File    string   `json:"file"`
	ID      string   `json:"id,omitempty"`
	Kept    bool     `json:"older_version_runs"`
	Reasons []string `json:"reasons"`
}

// Rules says what runs and how it fares. It may be called at any time.
func (d *Detector) Rules() RulesStatus {
	b := d.board
	b.mu.Lock()
	defer b.mu.Unlock()
	s := RulesStatus{Rules: []RuleStatus{}, Refused: []RuleRefused{}}
	if !b.used.IsZero() {
		at := b.used.UTC()
		s.AsOf = &at
	}
	for _, e := range b.sorted() {
		s.Rules = append(s.Rules, e.status())
	}
	for i := range b.refused {
		f := &b.refused[i]
		s.Refused = append(s.Refused, RuleRefused{f.file, f.ruleID, f.kept, f.reasons})
	}
	return s
}

func (e *entry) status() RuleStatus {
	r, u := e.rule, &e.usage
	s := RuleStatus{
		ID: r.ID, Title: r.Title, Status: r.Status, Mode: r.Mode, Type: r.Detect.Type, Severity: r.Severity, Owner: r.Owner,
		Source: fmt.Sprintf("%s:%d", r.File, r.Line), Fingerprint: e.print, LoadedAt: e.loaded.UTC(),
		Keys: u.Keys, StateBytes: u.StateBytes, Events: u.Events, Evaluations: u.Looks, Late: u.Late, Overflow: u.Overflow, Lost: u.Lost,
		CostNs: u.PerEvent(), Alerts: map[string]uint64{event.StateFiring: 0, event.StateUpdated: 0, event.StateResolved: 0},
	}
	if u.Events > 0 && u.LastEvent != window.None {
		at := time.Unix(0, u.LastEvent).UTC()
		s.LastEvent = &at
	}
	maps.Copy(s.Alerts, e.alerts)
	if a := e.last; a != nil {
		s.LastAlert = &LastAlert{a.ID, a.State, a.KeyString(), a.Time.UTC(), a.Value}
	}
	if e.lastErr != "" {
		s.LastError = &LastError{e.lastErrAt.UTC(), e.lastErr}
	}
	if q := e.query; q != nil {
		s.Query = queryStatus(q, q.Cost)
	}
	return s
}

func queryStatus(q *QueryRun, c query.Cost) *QueryStatus {
	s := &QueryStatus{
		At: q.At.UTC(), Until: q.Until.UTC(), Seconds: q.Took.Seconds(),
		Keys: c.Keys, Candidates: c.Candidates, Events: c.Events, Late: c.Late,
	}
	if q.Err != nil {
		s.Error = q.Err.Error()
	}
	return s
}
