package canary

import (
	"encoding/json"
	"fmt"
	"time"

	"imwatch/event"
)

// Beat is the newest canary of a node.
type Beat struct {
	Node  string        `json:"node"`
	At    time.Time     `json:"at"`
	Every time.Duration `json:"every"`
}

// due is when the node has missed too many.
func (b Beat) due() time.Time { return b.At.Add(Missed * b.Every) }

// maxNodes bounds the nodes that are remembered: in containers they get new names all the time.
const maxNodes = 1000

// DeadMan raises an alert when canaries have stopped coming, and resolves it when one comes again. As long as one node
// of several still sends, nothing is raised. Before the first canary nothing is expected. The id of the alert follows
// from the newest canary, so that all who watch the same canaries raise the same alert, also after a restart. Not safe
// for concurrent use.
type DeadMan struct {
	RuleID  string
	Title   string
	Lost    string    // the summary, before "for 3m0s"
	Back    string    // the summary when it is resolved
	Started time.Time // nobody can have been heard before; he has as long from then on to be heard

	beats map[string]Beat
	open  *event.Alert
}

// Take takes in a canary. newer is false for one that was known, or is older than the newest of its node. What it
// resolves is given.
func (d *DeadMan) Take(e *event.Event, now time.Time) (newer bool, resolved []*event.Alert) {
	b := Beat{Node: e.Node(), At: e.Time(), Every: time.Duration(e.Int(event.FieldEventDuration))}
	if b.At.After(now) { // a clock that goes wrong must not keep the switch from working
		b.At = now
	}
	if old, known := d.beats[b.Node]; known && !b.At.After(old.At) {
		return false, nil
	}
	if d.beats == nil {
		d.beats = map[string]Beat{}
	}
	d.beats[b.Node] = b
	if len(d.beats) > maxNodes {
		d.forgetOldest()
	}
	if b.Every <= 0 {
		delete(d.beats, b.Node)
	}
	if d.open == nil || b.Every > 0 && !b.due().After(now) { // it came so late that the next ones are missing already
		return true, nil
	}
	return true, []*event.Alert{d.resolve(b.At)}
}

func (d *DeadMan) forgetOldest() {
	oldest := ""
	for node, b := range d.beats {
		if oldest == "" || b.At.Before(d.beats[oldest].At) {
			oldest = node
		}
	}
	delete(d.beats, oldest)
}

// Last gives when the newest canary was sent; the zero time before the first.
func (d *DeadMan) Last() time.Time {
	last, _ := d.newest()
	return last.At
}

func (d *DeadMan) newest() (newest Beat, known bool) {
	for _, b := range d.beats {
		if !known || b.due().After(newest.due()) || b.due().Equal(newest.due()) && b.Node < newest.Node {
			newest, known = b, true
		}
	}
	return newest, known
}

// Tick gives the alert when it is time.
func (d *DeadMan) Tick(now time.Time) []*event.Alert {
	last, known := d.newest()
	wait := Missed * last.Every
	if d.open != nil || !known || now.Before(last.due()) || now.Before(d.Started.Add(wait)) {
		return nil
	}
	at := last.due().UTC()
	d.open = &event.Alert{
		Time: at, From: at, ID: event.AlertID(d.RuleID, "", at.UnixNano()), State: event.StateFiring,
		RuleID: d.RuleID, RuleName: d.Title, Status: "enabled", Severity: "critical",
		Value: wait.Seconds(), Limit: fmt.Sprintf(">= %vs", wait.Seconds()), Window: wait.String(),
		Annotations: map[string]string{"summary": fmt.Sprintf("%s for %v; the last was sent by %s at %s", d.Lost, wait, last.Node, event.FormatTime(last.At)), "runbook": Runbook},
	}
	return []*event.Alert{d.open}
}

func (d *DeadMan) resolve(at time.Time) *event.Alert {
	end := *d.open
	d.open = nil
	if at.Before(end.From) {
		at = end.From
	}
	end.State, end.Time, end.To, end.Value = event.StateResolved, at.UTC(), at.UTC(), 0
	end.Annotations = map[string]string{"summary": d.Back, "runbook": Runbook}
	return &end
}

// Open gives the alert that was raised and is not resolved, nil if there is none.
func (d *DeadMan) Open() *event.Alert { return d.open }

// Adopt takes over an alert that was raised before a restart.
func (d *DeadMan) Adopt(a *event.Alert) { d.open = a }

// state is what is kept of a DeadMan.
type state struct {
	Beats []Beat       `json:"beats"`
	Open  *event.Alert `json:"open,omitempty"`
}

// MarshalJSON writes what has to survive a restart.
func (d *DeadMan) MarshalJSON() ([]byte, error) {
	s := state{Open: d.open}
	for _, b := range d.beats {
		s.Beats = append(s.Beats, b)
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote; what the alert says stays.
func (d *DeadMan) UnmarshalJSON(b []byte) error {
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading the state of %s: %w", d.RuleID, err)
	}
	d.open, d.beats = s.Open, map[string]Beat{}
	for _, beat := range s.Beats {
		d.beats[beat.Node] = beat
	}
	return nil
}
