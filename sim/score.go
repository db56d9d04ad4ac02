package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"imwatch/event"
)

// Tolerance is how long after a label's end an alert may begin and still be meant by it: rules look back over a
// window, so what they see outlives what happened. One second before the begin is taken for rounding of clocks.
const Tolerance = time.Minute

// ScoreReport says how well alerts tell the truth. Its JSON form is stable.
type ScoreReport struct {
	All       ScoreLine      `json:"all"`
	Scenarios []ScoreLine    `json:"scenarios"` // in the order of the labels
	Missed    []Label        `json:"missed"`    // anomalies without an alert
	Wrong     []WrongAlert   `json:"wrong"`     // alerts without an anomaly
	Rules     map[string]int `json:"rules"`     // right alerts by rule
}

// ScoreLine is the score of one scenario or of all.
type ScoreLine struct {
	Scenario     string  `json:"scenario"`
	Anomalies    int     `json:"anomalies"`
	Detected     int     `json:"detected"` // anomalies with at least one alert
	Alerts       int     `json:"alerts"`   // spells, whatever number of lines each has
	Right        int     `json:"right"`    // alerts that belong to an anomaly
	Precision    float64 `json:"precision"`
	Recall       float64 `json:"recall"`
	F1           float64 `json:"f1"`
	TimeToDetect Delays  `json:"time_to_detect_s"` // from an anomaly's begin to its first alert
	BeforeImpact int     `json:"before_impact"`    // anomalies seen before they hurt a user
}

// Delays sums times up, in seconds; all are 0 where there is nothing to sum up.
type Delays struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	Max  float64 `json:"max"`
}

// WrongAlert is an alert that no anomaly explains.
type WrongAlert struct {
	ID       string            `json:"id"`
	Rule     string            `json:"rule"`
	Key      map[string]string `json:"key"`
	From     time.Time         `json:"from"`
	Scenario string            `json:"scenario"` // "" where no label spans it
	Benign   bool              `json:"benign"`   // a benign label names its rule or key: a trap it fell into
}

// spell is what the lines of one alert id say together.
type spell struct {
	id, rule string
	key      map[string]string
	detected time.Time // moment of firing
	from, to time.Time
}

// Score compares alert lines with label lines, both JSON lines as the contract writes them. An alert belongs to a
// label when the label names its rule (or none), the label's key is part of the alert's (or is null) and their times
// overlap within [Tolerance]; an anomaly is preferred to a benign label. Precision without alerts and recall without
// anomalies are 1. Lines that cannot be read are an error that names them.
func Score(alerts, labels io.Reader) (ScoreReport, error) {
	truth, err := ReadLabels(labels)
	if err != nil {
		return ScoreReport{}, err
	}
	spells, err := readSpells(alerts)
	if err != nil {
		return ScoreReport{}, err
	}
	return newScorer(truth).score(spells), nil
}

func readSpells(r io.Reader) ([]spell, error) {
	byID := map[string]*spell{}
	var order []string
	err := eachLine(r, "alerts", func(line []byte) error {
		var a event.Alert
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		s := byID[a.ID]
		if s == nil {
			s = &spell{id: a.ID, rule: a.RuleID, key: keyOf(a), detected: a.Time, from: a.From, to: a.Time}
			byID[a.ID] = s
			order = append(order, a.ID)
		}
		s.take(a)
		return nil
	})
	spells := make([]spell, 0, len(order))
	for _, id := range order {
		spells = append(spells, *byID[id])
	}
	slices.SortStableFunc(spells, func(a, b spell) int {
		return cmp.Or(a.detected.Compare(b.detected), cmp.Compare(a.id, b.id))
	})
	return spells, err
}

// take adds a line of the same alert. Lines may come in any order and twice.
func (s *spell) take(a event.Alert) {
	if a.State == event.StateFiring || a.Time.Before(s.detected) {
		s.detected = a.Time
	}
	if last := latest(a.Time, a.To); last.After(s.to) {
		s.to = last
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func keyOf(a event.Alert) map[string]string {
	key := make(map[string]string, len(a.Key))
	for _, p := range a.Key {
		key[p.Field] = p.Value
	}
	return key
}

// WriteText prints the report for a person: a table, then what was missed and what was wrong.
func (r ScoreReport) WriteText(w io.Writer) error {
	p := printer{w: w}
	p.printf("%-18s %9s %8s %7s %6s %10s %7s %12s\n", "scenario", "anomalies", "detected", "alerts", "right", "precision", "recall", "detect p50 s")
	for _, l := range append(slices.Clone(r.Scenarios), r.All) {
		p.printf("%-18s %9d %8d %7d %6d %10.3f %7.3f %12.3f\n", l.Scenario, l.Anomalies, l.Detected, l.Alerts, l.Right, l.Precision, l.Recall, l.TimeToDetect.P50)
	}
	for _, l := range r.Missed {
		p.printf("missed: %s, %s to %s, key %v, rules %v\n", l.Scenario, event.FormatTime(l.From), event.FormatTime(l.To), l.Key, l.Rules)
	}
	for _, a := range r.Wrong {
		p.printf("wrong: %s, %s, key %v, alert %s\n", a.Rule, event.FormatTime(a.From), a.Key, a.ID)
	}
	return p.err
}

// printer keeps the first error of many writes.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
