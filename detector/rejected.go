package detector

import (
	"fmt"
	"strings"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// RuleRejected is the rule id of the alert that a rule was refused.
const RuleRejected = "imwatch-rule-rejected"

// rejections are the open alerts about refused rules, by file and rule.
type rejections map[[2]string]*event.Alert

// update takes what was refused at a loading and gives the alerts that begin and end.
func (open rejections) update(refused []refusal, now time.Time) []*event.Alert {
	var alerts []*event.Alert
	still := map[[2]string]bool{}
	for i := range refused {
		f := &refused[i]
		place := [2]string{f.file, f.ruleID}
		still[place] = true
		if open[place] == nil {
			open[place] = f.alert(now)
			alerts = append(alerts, open[place])
		}
	}
	for place, a := range open {
		if still[place] {
			continue
		}
		delete(open, place)
		end := *a
		end.State, end.Time, end.To = event.StateResolved, now.UTC(), now.UTC()
		end.Annotations = map[string]string{"summary": "no longer refused: " + a.KeyString()}
		alerts = append(alerts, &end)
	}
	return alerts
}

// alert makes the alert about a refusal. It starts when the file was changed, so that a restart does not make a second.
func (f *refusal) alert(now time.Time) *event.Alert {
	start := changedAt(f.file, now).UTC()
	key := []engine.Part{{Text: f.file}, {Text: f.ruleID, Missing: f.ruleID == ""}}
	name := "the file"
	if f.ruleID != "" {
		name = "rule " + f.ruleID
	}
	what := "it does not run"
	if f.kept {
		what = "the version before goes on running"
	}
	return &event.Alert{
		Time: start, From: start, ID: engine.AlertID(RuleRejected, key, start), State: event.StateFiring,
		RuleID: RuleRejected, RuleName: "A rule was refused", Status: rule.StatusEnabled, Severity: "warn",
		Key:   []event.KeyPart{{Field: "log.file.path", Value: f.file}, {Field: "rule.id", Value: key[1].String()}},
		Value: float64(len(f.reasons)), Limit: "> 0",
		Annotations: map[string]string{
			"summary": fmt.Sprintf("%s in %s was refused, %s: %s", name, f.file, what, strings.Join(f.reasons[:min(3, len(f.reasons))], " | ")),
		},
	}
}

// lines prints the open alerts for the checkpoint.
func (open rejections) lines() []string {
	var lines []string
	for _, a := range open {
		if line, err := a.MarshalJSON(); err == nil {
			lines = append(lines, string(line))
		}
	}
	return lines
}

// restore reads lines that a checkpoint held.
func (open rejections) restore(lines []string) {
	for _, line := range lines {
		a := &event.Alert{}
		if err := a.UnmarshalJSON([]byte(line)); err != nil || len(a.Key) != 2 {
			continue // at worst an alert is raised anew, under the same id
		}
		ruleID := a.Key[1].Value
		if ruleID == rule.Missing {
			ruleID = ""
		}
		open[[2]string{a.Key[0].Value, ruleID}] = a
	}
}
