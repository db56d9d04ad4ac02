package alerting

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/api"
	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/alerting/outbox"
	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/internal/bus"
)

// The reasons why something is not told now.
const (
	silenced     = "silenced"
	inhibited    = "inhibited"
	flapping     = "flapping"
	acknowledged = "acknowledged"
)

// heldLook is when what another alert holds back is looked at again at the latest: that it is over is told at once, as
// far as this process hears of it.
const heldLook = 10 * time.Minute

// gate says what is not to be told now: what people silenced, what follows from an alert that is told, what flaps, and
// what somebody looks after already.
func (a *Alerter) gate(e *outbox.Entry, now time.Time) (deliver.Hold, bool) {
	if h, ok := a.desk.Held(&e.Alert); ok {
		s, what := h.Silence, "silence"
		if s.Kind == silence.Maintenance {
			what = "maintenance"
		}
		return deliver.Hold{Why: silenced, Words: fmt.Sprintf("%s %s of %s: %s", what, s.ID, s.Author, s.Reason), Until: h.Until, Marks: h.Windows}, true
	}
	if by, ok := a.board.Held(&e.Alert); ok {
		return deliver.Hold{Why: inhibited, Words: fmt.Sprintf("follows from alert %s of rule %s", by.ID, by.RuleID), Until: now.Add(heldLook)}, true
	}
	if s := a.flaps.Of(&e.Alert, now); s.Held {
		return deliver.Hold{Why: flapping, Words: fmt.Sprintf("fired %d times within %v; calm at %s", s.Fired, a.cfg.Flapping.Within, event.FormatTime(s.Until)), Until: s.Until}, true
	}
	if e.Kind == channel.Firing {
		return deliver.Hold{}, false // nobody can have looked after what was not told, but elsewhere
	}
	if e.Step != nil && e.Step.Regardless {
		return deliver.Hold{}, false
	}
	if k, ok := a.desk.Acked(&e.Alert); ok {
		return deliver.Hold{Why: acknowledged, Words: "by " + k.By + " until " + event.FormatTime(k.Until), Never: true}, true
	}
	return deliver.Hold{}, false
}

// Handler is the HTTP interface for people; its configuration says where it is served. It may be used while Run runs.
func (a *Alerter) Handler() http.Handler {
	deps := api.Deps{Desk: a.desk, Look: a.store, Inhibited: a.board.By, Roster: a.roster, Login: a.metrics.login, Now: a.now, Log: a.log}
	if a.people != nil {
		deps.Bearer = a.people.verifier
	}
	return api.New(a.cfg.API, deps)
}

// release has everything looked at again that is held back.
func (a *Alerter) release() {
	now := a.now()
	for _, r := range a.receivers {
		r.queue.Release(now)
	}
	a.steps.wake(now, a.blocked, a.desk.Acks())
}

// noted has the board know a state of an alert, and looks again at what waits for its end.
func (a *Alerter) noted(alert *event.Alert) {
	a.board.Note(alert)
	graver := a.flaps.Note(alert)
	if graver || alert.State == event.StateResolved && len(a.cfg.Inhibit) > 0 {
		a.release()
	}
}

// follow hears of the alerts that other alerters decide about, for they may hold back some of ours, or make them flap,
// until ctx ends.
func (a *Alerter) follow(ctx context.Context) {
	a.again(ctx, "following all alerts", nil, func(ctx context.Context) error {
		ends, err := a.bus.Ends(ctx, bus.TopicAlerts)
		if err != nil {
			return fmt.Errorf("reading the end of %s: %w", bus.TopicAlerts, err)
		}
		if err := errors.Join(a.findFiring(ctx), a.findFlapping(ctx)); err != nil { // what was before the end
			return err
		}
		c, err := a.bus.Read(ctx, bus.TopicAlerts, ends)
		if err != nil {
			return fmt.Errorf("reading %s: %w", bus.TopicAlerts, err)
		}
		defer func() { _ = c.Close() }() // it commits nothing
		for {
			ms, err := c.Fetch(ctx, a.cfg.Batch)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", bus.TopicAlerts, err)
			}
			for i := range ms {
				alert := new(event.Alert)
				if alert.UnmarshalJSON(ms[i].Value) == nil { // others are dead letters where they are decided
					a.noted(alert)
				}
			}
		}
	})
}
