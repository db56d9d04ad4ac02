package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// document is the stored form. Names that the field table has are taken from it; the rest stands below im.notify.
type document struct {
	Timestamp time.Time         `json:"@timestamp"`
	ECS       docECS            `json:"ecs"`
	Event     docEvent          `json:"event"`
	Rule      docRule           `json:"rule"`
	Labels    map[string]string `json:"labels,omitempty"`
	IM        struct {
		Alert  docAlert  `json:"alert"`
		Notify docNotify `json:"notify"`
	} `json:"im"`
	Message string `json:"message"`
}

type docECS struct {
	Version string `json:"version"`
}

type docEvent struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Dataset  string `json:"dataset"`
	Outcome  string `json:"outcome"` // unknown while pending: what Pending looks for
	Original string `json:"original"`
}

type docRule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type docAlert struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Severity string `json:"severity"`
	From     string `json:"from"`
}

type docNotify struct {
	State      State           `json:"state"`
	Kind       channel.Kind    `json:"kind"`
	Moment     time.Time       `json:"moment"`
	Receiver   string          `json:"receiver"`
	Channel    string          `json:"channel"`
	Title      string          `json:"title,omitempty"`
	Body       string          `json:"body,omitempty"`
	HTML       string          `json:"html,omitempty"`
	Fields     []channel.Field `json:"fields,omitempty"`
	Links      []channel.Link  `json:"links,omitempty"`
	After      string          `json:"after,omitempty"`
	Began      string          `json:"began,omitempty"`
	Step       *Step           `json:"step,omitempty"`
	FallbackOf string          `json:"fallback_of,omitempty"`
	Attempts   int             `json:"attempts"`
	FirstTry   time.Time       `json:"first_try,omitzero"`
	LastTry    time.Time       `json:"last_try,omitzero"`
	RetryAt    time.Time       `json:"retry_at,omitzero"`
	Verdict    string          `json:"verdict,omitempty"`
	Answer     string          `json:"answer,omitempty"`
	Took       []string        `json:"took,omitempty"`
	SentAt     time.Time       `json:"sent_at,omitzero"`
	Held       string          `json:"held,omitempty"`
	Window     []string        `json:"window,omitempty"`
	ToldAfter  *int64          `json:"told_after_ms,omitempty"`
	Digest     string          `json:"digest,omitempty"`
	Group      string          `json:"group,omitempty"`
	GroupName  string          `json:"group_name,omitempty"`
	GroupMatch []string        `json:"group_match,omitempty"`
	Due        time.Time       `json:"due,omitzero"`
	Interval   string          `json:"group_interval,omitempty"`
	Rose       bool            `json:"rose,omitempty"`
	Note       string          `json:"note,omitempty"`
	Claim      *docClaim       `json:"claim,omitempty"`
}

type docClaim struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

func outcome(s State) string {
	switch s {
	case Sent, Superseded:
		return "success"
	case Failed:
		return "failure"
	}
	return "unknown"
}

// encode gives the entry's document.
func encode(e *Entry) ([]byte, error) {
	d := document{
		Timestamp: e.At.UTC(),
		ECS:       docECS{event.ECSVersion},
		Event:     docEvent{e.ID(), "event", Dataset, outcome(e.State), string(e.Line)},
		Rule:      docRule{e.Alert.RuleID, e.Alert.RuleName},
		Labels:    e.Alert.Labels,
		Message:   e.Message.Title,
	}
	d.IM.Alert = docAlert{e.Alert.ID, e.Alert.State, e.Alert.Severity, event.FormatTime(e.Alert.From)}
	d.IM.Notify = docNotify{
		State: e.State, Kind: e.Kind, Moment: e.Moment.UTC(), Receiver: e.Receiver, Channel: e.Channel,
		Title: e.Message.Title, Body: e.Message.Body, HTML: e.Message.HTML, Fields: e.Message.Fields, Links: e.Message.Links,
		Digest: e.Digest, After: e.After, Began: e.Began, Step: e.Step, FallbackOf: e.FallbackOf,
		Attempts: e.Attempts, FirstTry: utc(e.FirstTry), LastTry: utc(e.LastTry), RetryAt: utc(e.RetryAt),
		Verdict: e.Verdict, Answer: e.Answer, Took: e.Took, SentAt: utc(e.SentAt),
		Held: e.Held, Window: e.Windows,
		Group: e.Group, GroupName: e.GroupName, GroupMatch: e.GroupMatch, Due: utc(e.Due), Rose: e.Rose, Note: e.Note,
	}
	if after, ok := e.ToldAfter(); ok {
		ms := after.Milliseconds()
		d.IM.Notify.ToldAfter = &ms
	}
	if e.Group != "" {
		d.IM.Notify.Interval = e.Interval.String()
	}
	if e.Claim.By != "" {
		d.IM.Notify.Claim = &docClaim{e.Claim.By, utc(e.Claim.Until)}
	}
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding notification %s: %w", e.ID(), err)
	}
	return b, nil
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// Decode reads the document of an entry.
func Decode(body []byte) (*Entry, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("reading notification: %w", err)
	}
	n := d.IM.Notify
	e := &Entry{
		At: d.Timestamp, Receiver: n.Receiver, Channel: n.Channel, Kind: n.Kind, Moment: n.Moment,
		Line: []byte(d.Event.Original), Digest: n.Digest,
		Message: channel.Message{Title: n.Title, Body: n.Body, HTML: n.HTML, Fields: n.Fields, Links: n.Links},
		After:   n.After, Began: n.Began, Step: n.Step, FallbackOf: n.FallbackOf, State: n.State, Attempts: n.Attempts, FirstTry: n.FirstTry, LastTry: n.LastTry,
		RetryAt: n.RetryAt, Verdict: n.Verdict, Answer: n.Answer, Took: n.Took, SentAt: n.SentAt, Held: n.Held, Windows: n.Window,
		Group: n.Group, GroupName: n.GroupName, GroupMatch: n.GroupMatch, Due: n.Due, Rose: n.Rose, Note: n.Note,
	}
	if n.Interval != "" {
		var err error
		if e.Interval, err = time.ParseDuration(n.Interval); err != nil {
			return nil, fmt.Errorf("reading notification %s: im.notify.group_interval: %w", d.Event.ID, err)
		}
	}
	if n.Claim != nil {
		e.Claim = Claim{n.Claim.By, n.Claim.Until}
	}
	if err := json.Unmarshal(e.Line, &e.Alert); err != nil {
		return nil, fmt.Errorf("reading notification %s: %w", d.Event.ID, err)
	}
	return e, nil
}
