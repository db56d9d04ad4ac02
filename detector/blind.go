package detector

import (
	"fmt"
	"strings"
	"time"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/canary"
)

// DetectorBlind is the rule id of the alert that the detector does not see what happens now.
const DetectorBlind = "imwatch-detector-blind"

// blindness is the alert that the detector lies too far behind, or can no longer read or query.
type blindness struct {
	after   time.Duration // 0: never
	host    string
	started time.Time
	open    *event.Alert
}

// cause is a reason to be blind, and the instant from which it is one.
type cause struct {
	from time.Time
	text string
}

// tick gives the alert when it begins or ends. After a start there is time to catch up.
func (b *blindness) tick(now time.Time, v vitals) []*event.Alert {
	if b.after == 0 {
		return nil
	}
	if b.open != nil {
		// It ends well below the limit, so that a lag that goes up and down about it is told once.
		if len(b.causes(now, v, b.after/2)) > 0 {
			return nil
		}
		end := *b.open
		b.open = nil
		end.State, end.Time, end.Value = event.StateResolved, now.UTC(), 0
		end.To = end.Time
		end.Annotations = map[string]string{"summary": "the detector on " + b.host + " sees what happens again", "runbook": canary.Runbook}
		return []*event.Alert{&end}
	}
	causes := b.causes(now, v, b.after)
	if len(causes) == 0 || now.Sub(b.started) <= b.after {
		return nil
	}
	b.open = b.alert(causes)
	return []*event.Alert{b.open}
}

// causes gives what has lasted for longer than limit.
func (b *blindness) causes(now time.Time, v vitals, limit time.Duration) []cause {
	var all []cause
	add := func(since time.Time, format string, args ...any) {
		if lasts := now.Sub(since); lasts > limit {
			all = append(all, cause{since.Add(b.after), fmt.Sprintf(format, append(args, lasts.Round(time.Second))...)})
		}
	}
	switch {
	case v.clocks.Slowest != window.None:
		add(time.Unix(0, v.clocks.Slowest), "evaluation lies %v behind the clock")
	case v.unread:
		add(b.started, "there are events, but nothing could be evaluated for %v")
	}
	if !v.asked.IsZero() {
		add(v.asked, "the broker has not answered for %v")
	}
	if v.failing != "" {
		add(v.since, "the query of rule %s has been failing for %v", v.failing)
	}
	return all
}

// alert makes the alert. It starts when the first cause passed the limit: so a detector that dies before it has
// written down that it told, and finds itself as far behind after its restart, tells the same alert.
func (b *blindness) alert(causes []cause) *event.Alert {
	first := causes[0].from
	var texts []string
	for _, c := range causes {
		texts = append(texts, c.text)
		if c.from.Before(first) {
			first = c.from
		}
	}
	first = first.UTC()
	return &event.Alert{
		Time: first, From: first, ID: event.AlertID(DetectorBlind, "", first.UnixNano()), State: event.StateFiring,
		RuleID: DetectorBlind, RuleName: "The detector is blind", Status: rule.StatusEnabled, Severity: "critical",
		Value: b.after.Seconds(), Limit: fmt.Sprintf("> %vs", b.after.Seconds()),
		Annotations: map[string]string{
			"summary": "the detector on " + b.host + " does not see what happens now: " + strings.Join(texts, "; "), "runbook": canary.Runbook,
		},
	}
}
