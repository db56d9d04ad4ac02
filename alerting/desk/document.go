package desk

import (
	"encoding/json"
	"fmt"
	"time"

	"imwatch/alerting/oncall"
	"imwatch/alerting/silence"
	"imwatch/event"
)

// Indices of what is kept. Silences, and who stands in for whom, have one of their own, which is never dropped: what comes
// back each week has no end. The others are kept as long as the alerts of their month.
const (
	SilenceIndex = "im-silences"
	Indices      = "im-desk-*"
)

// monthIndex names the index of what belongs to a month: im-desk-2026.11.
func monthIndex(at time.Time) string { return "im-desk-" + at.UTC().Format("2006.01") }

// The datasets of the documents.
const (
	datasetSilence  = "im.silence"
	datasetAck      = "im.ack"
	datasetAudit    = "im.audit"
	datasetWindow   = "im.window"
	datasetOverride = "im.override"
)

// document is the stored form. Names that the field table has are taken from it; the rest stands below im.desk.
type document struct {
	Timestamp time.Time `json:"@timestamp"`
	ECS       docECS    `json:"ecs"`
	Event     docEvent  `json:"event"`
	User      docUser   `json:"user"`
	IM        docIM     `json:"im"`
	Message   string    `json:"message"`
}

type docECS struct {
	Version string `json:"version"`
}

type docEvent struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Dataset string `json:"dataset"`
	Outcome string `json:"outcome"`
}

type docUser struct {
	ID string `json:"id"`
}

type docIM struct {
	Alert *docAlert `json:"alert,omitempty"`
	Desk  docDesk   `json:"desk"`
}

type docAlert struct {
	ID string `json:"id"`
}

type docDesk struct {
	Silence  *silence.Silence `json:"silence,omitempty"`
	Ack      *Ack             `json:"ack,omitempty"`
	Audit    *Entry           `json:"audit,omitempty"`
	Window   *Window          `json:"window,omitempty"`
	Override *oncall.Override `json:"override,omitempty"`
}

// newDocument begins a document.
func newDocument(at time.Time, id, dataset, by, text string) document {
	return document{
		Timestamp: at.UTC(), ECS: docECS{event.ECSVersion}, Event: docEvent{id, "event", dataset, event.OutcomeSuccess},
		User: docUser{by}, Message: text,
	}
}

func encode(d *document) ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", d.Event.ID, err)
	}
	return b, nil
}

func decode(body []byte) (*document, error) {
	d := new(document)
	if err := json.Unmarshal(body, d); err != nil {
		return nil, fmt.Errorf("reading what people said: %w", err)
	}
	return d, nil
}
