package alerting

import (
	"context"
	"fmt"
	"strings"

	"imwatch/alerting/silence"
	"imwatch/event"
)

// silencesRunbook is the page for those who are told about silences.
const silencesRunbook = "docs/runbooks/silences.md"

// lookEndings warns of silences that end while what they hold still fires, and takes back warnings that are void. The id of
// a warning follows from the silence and its end: one that is extended can be warned of again, near its new end.
func (a *Alerter) lookEndings(ctx context.Context, firing func() ([]*event.Alert, error)) error {
	due := map[string]*event.Alert{}
	for _, s := range a.desk.OfPeople() {
		if !s.Ending(a.cfg.SilenceWarning, a.now()) {
			continue
		}
		alerts, err := firing()
		if err != nil {
			return err
		}
		if w := a.warning(s, alerts); w != nil {
			due[w.ID] = w
		}
	}
	for id, w := range due {
		if a.lookout.warned[id] == nil {
			a.tell(ctx, []*event.Alert{w})
			a.lookout.warned[id] = w
		}
	}
	for id, w := range a.lookout.warned {
		if due[id] == nil {
			a.tell(ctx, []*event.Alert{a.void(w)})
			delete(a.lookout.warned, id)
		}
	}
	return nil
}

// warning makes the alert that a silence ends; nil: nothing that it holds fires.
func (a *Alerter) warning(s *silence.Silence, firing []*event.Alert) *event.Alert {
	match, err := silence.Matching(s)
	if err != nil {
		return nil // the desk takes only what can be read
	}
	var held []*event.Alert
	for _, alert := range firing {
		if match(alert) {
			held = append(held, alert)
		}
	}
	if len(held) == 0 {
		return nil
	}
	from, _ := s.Warns(a.cfg.SilenceWarning)
	words := wordsFor(a.cfg.Language)
	return &event.Alert{
		Time: from.UTC(), From: from.UTC(), ID: s.EndsID(), State: event.StateFiring,
		RuleID: silence.EndsRule, RuleName: words.ends, Status: "enabled", Severity: "warn", Value: float64(len(held)), Limit: "> 0",
		Labels: map[string]string{silence.IDLabel: s.ID, "author": s.Author},
		Annotations: map[string]string{
			"summary": fmt.Sprintf(words.holds, s.ID, s.Author, s.Reason, s.Clock(s.Until), len(held)),
			"holds":   names(held), "runbook": silencesRunbook,
		},
	}
}

// maxNamed bounds how many of the alerts that a silence holds are named in its warning.
const maxNamed = 10

func names(alerts []*event.Alert) string {
	var list []string
	for _, alert := range alerts[:min(len(alerts), maxNamed)] {
		list = append(list, strings.TrimSpace(alert.RuleID+" "+alert.KeyString()))
	}
	text := strings.Join(list, "; ")
	if more := len(alerts) - len(list); more > 0 {
		text += fmt.Sprintf(" …+%d", more)
	}
	return text
}

// void makes the end of a warning: the silence has another end now, or is over, or holds nothing that fires.
func (a *Alerter) void(w *event.Alert) *event.Alert {
	end, now, words := *w, a.now().UTC(), wordsFor(a.cfg.Language)
	if now.Before(end.From) {
		now = end.From
	}
	end.State, end.Time, end.To, end.Value = event.StateResolved, now, now, 0
	end.TimeText, end.FromText, end.ToText = "", "", ""
	id, text := w.Labels[silence.IDLabel], words.calm
	for _, s := range a.desk.OfPeople() {
		switch {
		case s.ID != id:
		case !s.Ended.IsZero():
			text = words.ended + s.EndedBy
		case !s.Over(now).IsZero():
			text = words.over
		case w.ID != s.EndsID():
			text = fmt.Sprintf(words.moved, s.Clock(s.Until), s.EditedBy)
		}
	}
	end.Annotations = map[string]string{"summary": fmt.Sprintf("%s: %s", id, text), "runbook": silencesRunbook}
	return &end
}
