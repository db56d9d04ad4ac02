package alerting

import (
	"context"
	"fmt"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/outbox"
	"imwatch/alerting/silence"
	"imwatch/event"
)

// belated is how long after its end what a maintenance window held is still told, where no alerter lived then.
const belated = 24 * time.Hour

// settling is how long after its end a window is counted: another alerter may hear of its end by a person only with its next
// look, and holds what comes until then.
func (a *Alerter) settling() time.Duration { return a.cfg.Refresh + lookSilences }

// lookWindows tells what maintenance windows held that are over. A window that held nothing is not told of.
func (a *Alerter) lookWindows(ctx context.Context, firing func() ([]*event.Alert, error)) error {
	now := a.now()
	for _, s := range a.desk.Silences() {
		if s.Kind != silence.Maintenance {
			continue
		}
		for _, in := range s.Stretches(now.Add(-belated), now) {
			key := s.ID + "@" + in.Until.UTC().Format(time.RFC3339Nano)
			if in.Until.IsZero() || now.Before(in.Until.Add(a.settling())) || a.lookout.settled[key] {
				continue
			}
			told, err := a.settle(ctx, s, in, firing)
			if err != nil {
				return err
			}
			if told != nil && now.Sub(told.At) < owed { // older ones were told by whoever counted
				a.tell(ctx, []*event.Alert{a.summary(s, told)})
			}
			if ctx.Err() == nil {
				a.lookout.settled[key] = true
			}
		}
	}
	return nil
}

// settle counts what a window held, unless that was done; nil: nothing.
func (a *Alerter) settle(ctx context.Context, s *silence.Silence, in silence.Stretch, firing func() ([]*event.Alert, error)) (*desk.Window, error) {
	w := desk.Window{Silence: s.ID, From: in.From.UTC(), Until: in.Until.UTC(), At: a.now().UTC()}
	if known, err := a.desk.Settled(ctx, w); known != nil || err != nil {
		return known, err
	}
	held := map[string]bool{}
	err := a.ledger.HeldBy(ctx, s.ID, func(e *outbox.Entry) bool {
		if s.Marked(e.Windows, in) && !silence.Own(e.Alert.RuleID) {
			held[e.Alert.ID] = true
		}
		return true
	})
	if err != nil || len(held) == 0 {
		return nil, err
	}
	alerts, err := firing()
	if err != nil {
		return nil, err
	}
	w.Held = len(held)
	for _, alert := range alerts {
		if held[alert.ID] {
			w.Firing++
		}
	}
	return a.desk.Settle(ctx, w)
}

// summary makes the alert that tells what a window held. It is over as soon as it is there: nobody has to do anything about it,
// and it is not told again.
func (a *Alerter) summary(s *silence.Silence, w *desk.Window) *event.Alert {
	words, from := wordsFor(a.cfg.Language), w.From
	if from.IsZero() {
		from = w.Until
	}
	return &event.Alert{
		Time: w.Until, From: from, To: w.Until, ID: event.AlertID(silence.MaintenanceRule, s.ID, w.Until.UnixNano()), State: event.StateResolved,
		RuleID: silence.MaintenanceRule, RuleName: words.maintenance, Status: "enabled", Severity: "warn", Value: float64(w.Held), Limit: "> 0",
		Labels: map[string]string{silence.IDLabel: s.ID, "author": s.Author},
		Annotations: map[string]string{
			"summary": fmt.Sprintf(words.held, s.ID, s.Author, s.Reason, s.Clock(w.Until), w.Held, w.Firing), "runbook": silencesRunbook,
		},
	}
}

// silenceWords are what is said about silences in a language.
type silenceWords struct{ ends, holds, calm, ended, over, moved, maintenance, held string }

func wordsFor(language string) silenceWords {
	if language == "zh" {
		return silenceWords{
			ends: "静默即将结束", holds: "静默 %s（%s：%s）将于 %s 结束，它所压住的告警仍有 %d 条在触发", calm: "它所压住的告警均已恢复",
			ended: "已被提前结束，操作人：", over: "静默已到期，仍在触发的告警现在通知", moved: "已改到 %s 结束，操作人：%s",
			maintenance: "维护窗口结束", held: "维护 %s（%s：%s）于 %s 结束，期间压住 %d 条告警，其中 %d 条仍在触发",
		}
	}
	return silenceWords{
		ends: "A silence ends", holds: "silence %s of %s (%s) ends at %s and holds %d alerts that still fire", calm: "nothing that it holds fires any more",
		ended: "ended by ", over: "it is over; what still fires is told now", moved: "it ends at %s now, by %s",
		maintenance: "Maintenance is over", held: "during maintenance %s of %s (%s), which ended at %s, %d alerts were held, %d still fire",
	}
}
