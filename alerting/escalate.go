package alerting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/desk"
	"imwatch/alerting/outbox"
	"imwatch/alerting/render"
	"imwatch/alerting/route"
	"imwatch/event"
	"imwatch/internal/store"
)

// steps knows when the next step of each firing alert is due, which alerts cannot take one now, and what was said of them
// when they were looked at.
type steps struct {
	*repeats
	mu   sync.Mutex // guards the fields below
	held map[string]event.Alert
	seen map[string]time.Time // by alert: its acknowledgement then
}

func newSteps() *steps {
	return &steps{repeats: newRepeats(), held: map[string]event.Alert{}, seen: map[string]time.Time{}}
}

// noStep is when an alert is looked at again of which no step is left: not before something is said of it.
const noStep = 365 * 24 * time.Hour

// note says when an alert is to be looked at again, and whether something holds its steps until then.
func (s *steps) note(alert *event.Alert, next time.Time, held bool) {
	s.mu.Lock()
	if held {
		s.held[alert.ID] = *alert
	} else {
		delete(s.held, alert.ID)
	}
	if next.IsZero() {
		delete(s.seen, alert.ID)
	}
	s.mu.Unlock()
	s.set(alert.ID, event.AlertIndex(alert.From), next)
}

// look notes the acknowledgement of an alert that is looked at.
func (s *steps) look(id string, ack desk.Ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[id] = ack.At
}

// wake has those looked at again that nothing holds any more, and those that were acknowledged since.
func (s *steps) wake(now time.Time, holds func(*event.Alert) bool, acks []desk.Ack) {
	s.mu.Lock()
	held := slices.Collect(maps.Values(s.held))
	acks = slices.DeleteFunc(acks, func(k desk.Ack) bool { return s.seen[k.Alert].Equal(k.At) })
	s.mu.Unlock()
	for i := range held {
		if !holds(&held[i]) {
			s.note(&held[i], now, false)
		}
	}
	for i := range acks {
		s.again(acks[i].Alert, now)
	}
}

// step is a step of an alert's escalation as it stands now.
type step struct {
	route.Escalation
	due time.Time
}

// escalate passes one alert on by the steps whose time has come, if the store says that it still fires.
func (a *Alerter) escalate(ctx context.Context, id, index string) error {
	for {
		k, version, err := a.kept(ctx, index, id)
		if err != nil {
			return err
		}
		if k == nil || k.alert.State == event.StateResolved || k.alert.Status == "shadow" {
			a.steps.note(&event.Alert{ID: id}, time.Time{}, false)
			return nil
		}
		ack, _ := a.desk.LastAck(id)
		a.steps.look(id, ack)
		plan, next, held, err := a.stepsOf(ctx, k)
		if err != nil {
			return err
		}
		news := a.take(k, plan)
		if len(news) > 0 {
			err = a.rewrite(ctx, index, k, version)
			if errors.Is(err, store.ErrConflict) {
				continue // another alerter took the step, or there is a new state: look again
			}
			if err != nil {
				return err
			}
			for _, n := range news {
				a.passedOn(&k.alert, n)
			}
		}
		if err := a.passOn(ctx, k); err != nil {
			return err
		}
		if next.IsZero() {
			next = a.now().Add(noStep)
		}
		a.steps.note(&k.alert, next, held)
		return nil
	}
}

// passedOn counts and logs a step that was taken.
func (a *Alerter) passedOn(alert *event.Alert, t *taken) {
	for _, l := range t.To {
		a.metrics.escalations.WithLabelValues(a.receivers[l.Receiver].cfg.Channel()).Inc()
	}
	a.log.WithField("alert", alert.ID).WithField("step", t.ID).WithField("receivers", len(t.To)).Info("an alert is passed on")
}

// stepsOf gives the steps of an alert that are to be taken now, and when to look again; the zero time: no step is left. held
// says that something holds a step whose time has come.
func (a *Alerter) stepsOf(ctx context.Context, k *keptAlert) (due []step, next time.Time, held bool, err error) {
	now := a.now()
	all := a.tree.Escalations(&k.alert)
	if len(all) == 0 {
		return nil, next, false, nil
	}
	start, until, err := a.start(ctx, k, now)
	if err != nil {
		return nil, next, false, err
	}
	if !until.IsZero() {
		return nil, until, true, nil
	}
	hold, isHeld := a.holds(&k.alert, now)
	ack, acked := a.desk.Acked(&k.alert)
	for _, e := range all {
		s := step{Escalation: e, due: start.Add(e.After)}
		if again, err := a.cutOff(ctx, k, e.ID); err != nil {
			return nil, next, false, err
		} else if t := k.account.step(e.ID); t != nil && !again {
			continue
		}
		switch {
		case s.due.After(now):
			next = earlier(next, s.due)
		case isHeld:
			next, held = earlier(next, hold), true
		case acked && !e.Regardless:
			next, held = earlier(next, ack.Until), true
		default:
			due = append(due, s)
		}
	}
	return due, next, held, nil
}

// holds says whether a silence or another alert holds an alert, and until when at least to wait.
func (a *Alerter) holds(alert *event.Alert, now time.Time) (until time.Time, held bool) {
	h, held := a.gate(&outbox.Entry{Kind: channel.Firing, Alert: *alert}, now)
	if held && (h.Until.IsZero() || h.Until.After(now.Add(heldLook))) {
		h.Until = now.Add(heldLook)
	}
	return h.Until, held
}

// blocked says whether anything holds the steps of an alert that wait for nobody's acknowledgement.
func (a *Alerter) blocked(alert *event.Alert) bool {
	if _, held := a.holds(alert, a.now()); held {
		return true
	}
	_, acked := a.desk.Acked(alert)
	return acked
}

// start gives the moment from which an alert's steps are counted: when its first state was kept. Where that was held back
// from everybody, it is when somebody was told. until: nobody was told yet, and it is to be looked at again then.
func (a *Alerter) start(ctx context.Context, k *keptAlert, now time.Time) (start, until time.Time, err error) {
	held := false
	for _, l := range k.account.Told {
		if l.Kind == channel.Escalated {
			continue
		}
		e, _, err := a.ledger.Get(ctx, outbox.Ref{Index: outbox.IndexOf(k.alert.From), ID: outbox.ID(k.alert.ID, l.Kind, l.Moment, l.Receiver)})
		switch {
		case errors.Is(err, store.ErrNotFound): // it is being written
			continue
		case err != nil:
			return start, until, err
		case e.Held == "" || e.Held == acknowledged:
			return k.account.Since, until, nil
		case e.FirstTry.IsZero():
			held = true
		default:
			start = earlier(start, e.FirstTry)
		}
	}
	switch {
	case !start.IsZero():
		return start, until, nil
	case held:
		if until, held = a.holds(&k.alert, now); !held {
			until = now.Add(time.Second) // it is about to be told
		}
		return start, until, nil
	}
	return k.account.Since, until, nil
}

// earlier gives the earlier of two times, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func (acc *account) step(id string) *taken {
	i := slices.IndexFunc(acc.Steps, func(t taken) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &acc.Steps[i]
}

// cutOff says whether a step was taken and an acknowledgement came before anybody could be told: it is to be taken again
// once that is over.
func (a *Alerter) cutOff(ctx context.Context, k *keptAlert, id string) (bool, error) {
	t := k.account.step(id)
	ack, there := a.desk.LastAck(k.alert.ID)
	if t == nil || !there || ack.At.Before(t.At) || len(t.To) == 0 {
		return false, nil
	}
	for _, l := range t.To {
		e, _, err := a.ledger.Get(ctx, outbox.Ref{Index: outbox.IndexOf(k.alert.From), ID: outbox.ID(k.alert.ID, channel.Escalated, t.At, l.Receiver)})
		switch {
		case errors.Is(err, store.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		case e.State != outbox.Superseded || e.Verdict != acknowledged:
			return false, nil
		}
	}
	return true, nil
}

// take writes steps into the account of an alert, and gives what is new there.
func (a *Alerter) take(k *keptAlert, due []step) (news []*taken) {
	acc := &k.account
	acc.Steps, acc.Told = slices.Clone(acc.Steps), slices.Clone(acc.Told)
	for _, s := range due {
		t := taken{ID: s.ID, At: s.due}
		if ack, there := a.desk.LastAck(k.alert.ID); there && !s.Regardless {
			t.By = ack.By
			if end := ackEnd(&ack); !end.After(a.now()) {
				t.Over = end
				t.At = later(t.At, end)
			} else { // it got worse than what was acknowledged
				t.At = later(t.At, k.at)
			}
		}
		old := acc.step(s.ID)
		var to []listener
		for _, name := range s.Receivers {
			to = merge(to, a.named(name, t.At)...)
		}
		for _, l := range to {
			if a.receivers[l.Receiver] == nil {
				continue
			}
			l.Kind, l.Moment = channel.Escalated, t.At
			t.To = append(t.To, l)
			if known := acc.listener(l.Receiver); known != nil && old != nil && known.Kind == channel.Escalated && known.Moment.Equal(old.At) {
				known.Moment = t.At // what it would have been told first was cut off
			}
			acc.add(l)
		}
		if old != nil {
			*old = t
		} else {
			acc.Steps = append(acc.Steps, t)
		}
	}
	for _, s := range due {
		news = append(news, acc.step(s.ID))
	}
	return news
}

func ackEnd(k *desk.Ack) time.Time {
	if !k.Taken.IsZero() && k.Taken.Before(k.Until) {
		return k.Taken
	}
	return k.Until
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// passOn writes what all steps taken tell into the outbox; what stands there already stays as it is.
func (a *Alerter) passOn(ctx context.Context, k *keptAlert) error {
	var entries []*outbox.Entry
	plans := a.tree.Escalations(&k.alert)
	for _, t := range k.account.Steps {
		i := slices.IndexFunc(plans, func(e route.Escalation) bool { return e.ID == t.ID })
		if i < 0 {
			continue // of a configuration before: who took it told it
		}
		for _, l := range t.To {
			if a.receivers[l.Receiver] == nil {
				continue
			}
			schedule, _, _ := route.OnCall(l.Ref)
			s := &outbox.Step{After: plans[i].After.String(), Regardless: plans[i].Regardless, AckedBy: t.By, AckOver: t.Over, OnCall: schedule, Person: l.Person}
			it := &Item{Alert: k.alert, Line: plainLine(k.line), Kind: channel.Escalated, Moment: t.At, KeptAt: k.at, account: k.account}
			it.Message = a.wordsOf(l.Receiver, channel.Escalated, &k.alert, s)
			e := a.entry(route.Target{Receiver: l.Receiver}, channel.Escalated, it)
			e.Step = s
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return a.add(ctx, entries)
}

// reason gives the renderer what an escalation's step says.
func reason(s *outbox.Step) render.Passed {
	after, _ := time.ParseDuration(s.After) // we wrote it
	return render.Passed{After: after, Regardless: s.Regardless, AckedBy: s.AckedBy, AckEnded: s.AckOver, OnCall: s.OnCall, Person: s.Person}
}

// rewrite writes an alert's account into its document, which is at version.
func (a *Alerter) rewrite(ctx context.Context, index string, k *keptAlert, version string) error {
	body, err := document(&Item{Line: k.line, KeptAt: k.at, account: k.account})
	if err != nil {
		return err
	}
	if _, err := a.store.Swap(ctx, store.Doc{Index: index, ID: k.alert.ID, Body: body}, version); err != nil {
		return fmt.Errorf("keeping who is told of alert %s: %w", k.alert.ID, err)
	}
	return nil
}
