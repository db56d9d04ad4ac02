package alerting

import (
	"context"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
)

// observer follows what the sender of one receiver does.
type observer struct {
	a       *Alerter
	channel string
}

// Attempted counts and logs an attempt.
func (o observer) Attempted(e *outbox.Entry, r channel.Result) {
	m := o.a.metrics
	m.notifications.WithLabelValues(e.Channel, r.Verdict.String()).Inc()
	if e.Attempts > 1 {
		m.retries.WithLabelValues(e.Channel).Inc()
	}
	log := o.a.log.WithFields(map[string]any{
		"receiver": e.Receiver, "alert": e.Alert.ID, "kind": e.Kind, "verdict": r.Verdict.String(), "attempt": e.Attempts,
	})
	switch e.State {
	case outbox.Sent:
		m.latency.WithLabelValues(e.Channel).Observe(max(0, e.SentAt.Sub(e.Moment).Seconds()))
		if d, ok := e.ToldAfter(); ok && e.Held == "" {
			m.firstLine.WithLabelValues(e.Channel).Observe(d.Seconds())
		}
		log.Debug("notified")
	case outbox.Failed:
		if !r.Verdict.Final() {
			m.notifications.WithLabelValues(e.Channel, expired).Inc()
		}
		log.WithField("answer", e.Answer).Error("a notification has failed for good")
	case outbox.Pending, outbox.Superseded:
		log.WithField("answer", e.Answer).WithField("again", e.RetryAt).Warn("an attempt to notify failed")
	}
}

// Folded counts a message that told several: a group, or a digest.
func (o observer) Folded(entries []*outbox.Entry, r channel.Result) {
	m, e := o.a.metrics, entries[0]
	if _, ok := outbox.OneGroup(entries); ok {
		m.groups.WithLabelValues(e.Channel, r.Verdict.String()).Inc()
		m.grouped.WithLabelValues(e.Channel).Add(float64(len(entries)))
		return
	}
	m.digests.WithLabelValues(e.Channel, r.Verdict.String()).Inc()
	m.folded.WithLabelValues(e.Channel).Add(float64(len(entries)))
}

// Held counts what was held back, or is not told at all.
func (o observer) Held(e *outbox.Entry) {
	o.a.metrics.held.WithLabelValues(e.Channel, e.Verdict, string(e.State)).Inc()
	o.a.log.WithFields(map[string]any{"receiver": e.Receiver, "alert": e.Alert.ID, "kind": e.Kind, "why": e.Verdict, "answer": e.Answer}).Debug("a notification is held back")
}

// Throttled counts waits for a budget, and their time.
func (o observer) Throttled(waited time.Duration) {
	o.a.metrics.throttled.WithLabelValues(o.channel).Inc()
	o.a.metrics.throttledFor.WithLabelValues(o.channel).Add(waited.Seconds())
}

// GivingUp passes a failed notification on to the fallback.
func (o observer) GivingUp(ctx context.Context, e *outbox.Entry) error {
	a := o.a
	name := a.receivers[e.Receiver].cfg.Fallback
	if name == "" {
		return nil
	}
	it := &Item{Alert: e.Alert, Line: e.Line, Moment: e.Moment, Message: a.wordsOf(name, e.Kind, &e.Alert, e.Step)}
	f := a.entry(route.Target{Receiver: name}, e.Kind, it)
	f.FallbackOf, f.Step = e.ID(), e.Step
	a.regather(f, e)
	return a.add(ctx, []*outbox.Entry{f})
}
