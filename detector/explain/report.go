package explain

import (
	"time"

	"imwatch/detector/engine"
	"imwatch/event"
)

// The verdicts of a report.
const (
	Firing  = "firing"  // an alert is open and the condition holds
	Pending = "pending" // the condition holds, but not for as long as the rule's for asks
	Ceased  = "ceased"  // an alert is open, the condition no longer holds, and resolve.after runs
	Quiet   = "quiet"   // nothing is open
)

// Report says how a rule stood for a key at an instant, and why.
type Report struct {
	Rule    string            `json:"rule"`
	Title   string            `json:"title"`
	Status  string            `json:"status"`
	Type    string            `json:"type"`
	Key     map[string]string `json:"key"`
	At      string            `json:"at"`
	Source  string            `json:"source"`
	Verdict string            `json:"verdict"`
	Why     string            `json:"why"` // one sentence
	Value   float64           `json:"value"`
	Limit   string            `json:"limit"`
	Missing string            `json:"missing,omitempty"` // how far the value is from the limit; "" where it holds
	Window  string            `json:"window,omitempty"`
	Since   string            `json:"since,omitempty"` // the first instant whose events count
	Next    string            `json:"next,omitempty"`  // when the truth may change without an event

	Settings Settings    `json:"settings"`
	Spell    *Spell      `json:"spell,omitempty"`
	History  []Change    `json:"history"` // state changes of the key up to the instant, the newest last
	Events   []Seen      `json:"events"`  // of the key that the rule takes, the newest last
	Near     []Seen      `json:"near"`    // of the key that it does not take, the newest last
	Late     []Seen      `json:"late"`    // that came after the watermark had passed them: not counted
	LeftOut  LeftOut     `json:"left_out"`
	Notes    []string    `json:"notes,omitempty"`
	Delivery []string    `json:"delivery,omitempty"` // what becomes of the alert after the detector
	keyParts []keyPart   // in the rule's order
	at       time.Time   //
	alert    event.Alert // a sample, for routes
}

type keyPart = event.KeyPart

// Settings are the rule's times.
type Settings struct {
	For      string `json:"for"`
	Resolve  string `json:"resolve_after"`
	Lateness string `json:"lateness"`
	Idle     string `json:"idle"`
	When     string `json:"when,omitempty"`
}

// Spell is an alert under way.
type Spell struct {
	Phase    string  `json:"phase"`
	ID       string  `json:"id,omitempty"`
	Start    string  `json:"start"`
	First    string  `json:"first_event,omitempty"`
	Told     float64 `json:"value_last_told"`
	Severity string  `json:"severity,omitempty"`
	FiresAt  string  `json:"fires_at,omitempty"`
	Resolved string  `json:"resolved_at,omitempty"`
}

// Change is one state change.
type Change struct {
	Time     string  `json:"time"`
	State    string  `json:"state"`
	Value    float64 `json:"value"`
	Severity string  `json:"severity"`
	ID       string  `json:"id"`
}

// Seen is one event of the key.
type Seen struct {
	Time    string    `json:"time"`
	ID      string    `json:"id"`
	Weight  float64   `json:"weight"`
	Matches []string  `json:"matches,omitempty"` // conditions of the rule that it satisfies: where, detect.consecutive.reset
	Fails   []Failure `json:"fails,omitempty"`   // parts of where that it does not
	Note    string    `json:"note,omitempty"`
	at      int64
}

// LeftOut counts what the lists do not show.
type LeftOut struct {
	Events  int `json:"events"`
	Near    int `json:"near"`
	Late    int `json:"late"`
	History int `json:"history"`
}

// Alert gives the alert of the report as the detector would tell it, for asking who would be told of it.
func (r *Report) Alert() *event.Alert { return &r.alert }

func spellOf(s *engine.OpenSpell) *Spell {
	if s == nil {
		return nil
	}
	return &Spell{
		Phase: s.Phase, ID: s.ID, Start: stamp(s.Start), First: s.First, Told: s.Told, Severity: s.Severity,
		FiresAt: stamp(s.FiresAt), Resolved: stamp(s.ResolvedAt),
	}
}

// stamp prints an instant, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return event.FormatTime(t)
}
