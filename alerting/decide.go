package alerting

import (
	"context"
	"fmt"
	"slices"

	"imwatch/alerting/api"
	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/internal/store"
)

// route is the stage that makes of each alert one item for each receiver that is to hear of it.
func (a *Alerter) route(_ context.Context, items []Item) ([]Item, error) {
	var out []Item
	for _, it := range items {
		before := len(out)
		targets := a.tree.Targets(&it.Alert)
		for _, name := range it.account.To {
			if a.receivers[name] == nil { // it is no longer configured
				continue
			}
			it.Target = it.account.target(targets, name)
			out = append(out, it)
		}
		if len(out) == before {
			a.metrics.dropped.WithLabelValues("unrouted").Inc()
		}
	}
	return out, nil
}

func (a *Alerter) wants(receiver string, kind channel.Kind) bool {
	r := a.receivers[receiver]
	switch kind {
	case channel.Updated:
		return r.cfg.SendUpdated
	case channel.Resolved:
		return r.cfg.SendResolved
	}
	return true
}

// render is the stage that puts items into words.
func (a *Alerter) render(_ context.Context, items []Item) ([]Item, error) {
	for i := range items {
		items[i].Message = a.words(items[i].Target.Receiver, items[i].Kind, &items[i].Alert)
	}
	return items, nil
}

// words never fails: an alert whose template cannot be run is told plainly.
func (a *Alerter) words(receiver string, kind channel.Kind, alert *event.Alert) channel.Message {
	return a.wordsOf(receiver, kind, alert, nil)
}

// wordsOf is words for what is passed on, with the reason; nil: it is not.
func (a *Alerter) wordsOf(receiver string, kind channel.Kind, alert *event.Alert, s *outbox.Step) channel.Message {
	r := a.receivers[receiver]
	alert = a.annotated(alert, a.flapNote(r, kind, alert))
	actions := a.actions(receiver, kind, alert)
	var m channel.Message
	var err error
	if s != nil {
		m, err = a.renderer.PassedOn(r.cfg.style(), r.language, alert, reason(s), actions...)
	} else {
		m, err = a.renderer.Message(r.cfg.style(), r.language, kind, alert, actions...)
	}
	if err != nil {
		a.log.WithError(err).Error("rendering failed, the alert is told without a template")
		title := fmt.Sprintf("[%s][%s] %s %s", kind, alert.Severity, alert.RuleID, alert.ID)
		return channel.Message{Title: title, Body: title}
	}
	return m
}

// actions gives the links by which somebody who is told can act.
func (a *Alerter) actions(receiver string, kind channel.Kind, alert *event.Alert) (list []channel.Link) {
	if kind == channel.Resolved {
		return nil
	}
	links, offered := a.cfg.API.Links(), []string{api.LinkAck, api.LinkSilence}
	if alert.RuleID == silence.EndsRule {
		offered = []string{api.LinkExtend}
	}
	for _, action := range offered {
		if to := links.Make(action, alert, receiver, a.now()); to != "" {
			list = append(list, channel.Link{Name: action, URL: to})
		}
	}
	return list
}

// groupActions gives the links by which somebody who is told of a group can act on all of it; none where nothing of it
// fires. A message about one alert alone has that alert's.
func (a *Alerter) groupActions(entries []*outbox.Entry) (list []channel.Link) {
	first, links := entries[0], a.cfg.API.Links()
	over := map[string]bool{}
	for _, e := range entries {
		over[e.Alert.ID] = over[e.Alert.ID] || e.Kind == channel.Resolved
	}
	i := slices.IndexFunc(entries, func(e *outbox.Entry) bool { return !over[e.Alert.ID] && e.Alert.RuleID != silence.EndsRule })
	matchers, err := route.ParseMatchers(first.GroupMatch)
	switch {
	case i < 0 || err != nil:
		return nil
	case len(over) == 1 || len(matchers) == 0:
		return a.actions(first.Receiver, entries[i].Kind, &entries[i].Alert)
	}
	offered := []string{api.LinkAck}
	if !silence.Wide(matchers) { // one that holds any alert is to be made on purpose
		offered = append(offered, api.LinkSilence)
	}
	for _, action := range offered {
		if to := links.MakeGroup(action, first.Group, first.Receiver, a.now()); to != "" {
			list = append(list, channel.Link{Name: action + " all", URL: to})
		}
	}
	return list
}

// post is the stage that writes items into the outbox and wakes their senders. What was decided before stays as it
// was; it is looked at again, as the one who decided it may be gone.
func (a *Alerter) post(ctx context.Context, items []Item) ([]Item, error) {
	entries := make([]*outbox.Entry, len(items))
	for i, it := range items {
		entries[i] = a.entry(it.Target, it.Kind, &it)
	}
	return items, a.add(ctx, entries)
}

func (a *Alerter) entry(t route.Target, kind channel.Kind, it *Item) *outbox.Entry {
	after := ""
	if it.Before.Kind != "" {
		after = outbox.ID(it.Alert.ID, it.Before.Kind, it.Before.Moment, t.Receiver)
	}
	e := &outbox.Entry{
		At: a.now(), After: after, Receiver: t.Receiver, Channel: a.receivers[t.Receiver].kind, Kind: kind, Moment: it.Moment,
		Alert: it.Alert, Line: it.Line, Message: it.Message, State: outbox.Pending,
		Note: a.flapNote(a.receivers[t.Receiver], kind, &it.Alert),
	}
	if began := it.account.began(it.Alert.ID, t.Receiver); began != e.ID() {
		e.Began = began
	}
	a.gather(e, t.Group, it)
	return e
}

func (a *Alerter) add(ctx context.Context, entries []*outbox.Entry) error {
	results, err := a.ledger.Add(ctx, entries...)
	if err != nil {
		return err
	}
	for i, e := range entries {
		switch results[i].Outcome {
		case store.Stored, store.Existed:
			a.receivers[e.Receiver].queue.Add(e.Ref())
		case store.Rejected:
			a.metrics.dropped.WithLabelValues("refused").Inc()
			a.log.WithField("alert", e.Alert.ID).WithField("receiver", e.Receiver).
				Errorf("the store refuses a notification, it is not sent: %s", results[i].Reason)
		default:
			err = fmt.Errorf("writing notifications: %w: %s", store.ErrUnavailable, results[i].Reason)
		}
	}
	return err
}
