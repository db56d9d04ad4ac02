package alerting

import (
	"slices"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/oncall"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/event"
)

// account says who is told of an alert. It stands in the alert's document, below im.notify: so whatever is decided once,
// such as who was on call at that moment, is the same for every alerter and after every restart.
type account struct {
	Since  time.Time  `json:"since,omitzero"` // when the first state was kept: what steps are counted from
	Before Before     `json:"before,omitzero"`
	To     []string   `json:"to,omitempty"`   // receivers that are told of the newest state
	Told   []listener `json:"told,omitempty"` // receivers that were told anything of the alert
	Steps  []taken    `json:"steps,omitempty"`
}

// listener is a receiver that is told of an alert, and what it is told first.
type listener struct {
	Receiver string       `json:"receiver"`
	Kind     channel.Kind `json:"kind"`
	Moment   time.Time    `json:"moment"`
	Ref      string       `json:"on_call,omitempty"` // the name in the route that stood for it: oncall:lead; "": its own
	Person   string       `json:"person,omitempty"`  // who was on call
}

// taken is a step of an escalation that was taken.
type taken struct {
	ID   string     `json:"step"`
	At   time.Time  `json:"at"`
	To   []listener `json:"to"`
	By   string     `json:"acked_by,omitempty"` // who had acknowledged it before
	Over time.Time  `json:"ack_over,omitzero"`  // when that was over
}

// plan decides who is told of a state that was not kept before.
func (a *Alerter) plan(it *Item, old *keptAlert) account {
	acc := account{Since: it.KeptAt}
	if old != nil {
		acc = old.account
		if acc.Since.IsZero() {
			acc.Since = old.at
		}
	}
	acc.Before, acc.To = it.Before, nil
	if it.Alert.Status == "shadow" {
		return acc
	}
	for _, l := range a.audience(&it.Alert, it.KeptAt, acc.Told) {
		if r := a.receivers[l.Receiver]; r == nil || !a.wants(l.Receiver, it.Kind) && it.Alert.RuleID != silence.MaintenanceRule {
			continue
		}
		l.Kind, l.Moment = it.Kind, it.Moment
		acc.To = append(acc.To, l.Receiver)
		acc.add(l)
	}
	return acc
}

// add notes that a receiver is told. What it was told first stays.
func (acc *account) add(l listener) {
	if acc.listener(l.Receiver) == nil {
		acc.Told = append(slices.Clip(acc.Told), l) // others may hold the same array
	}
}

func (acc *account) listener(receiver string) *listener {
	i := slices.IndexFunc(acc.Told, func(l listener) bool { return l.Receiver == receiver })
	if i < 0 {
		return nil
	}
	return &acc.Told[i]
}

// began gives the id of what a receiver is told first of an alert, "" where that is the beginning.
func (acc *account) began(alertID, receiver string) string {
	l := acc.listener(receiver)
	if l == nil || l.Kind == channel.Firing {
		return ""
	}
	return outbox.ID(alertID, l.Kind, l.Moment, receiver)
}

// audience gives who is to hear of a state: those that the routes name, whoever is on call at that moment, and whoever was
// told of the alert before. Of the end hears who was told.
func (a *Alerter) audience(alert *event.Alert, at time.Time, told []listener) []listener {
	over := alert.State == event.StateResolved && len(told) > 0
	var out []listener
	for _, t := range a.tree.Targets(alert) {
		if over && route.IsOnCall(t.Receiver) {
			continue
		}
		out = merge(out, a.named(t.Receiver, at)...)
	}
	return merge(out, told...)
}

func merge(list []listener, more ...listener) []listener {
	for _, m := range more {
		if !slices.ContainsFunc(list, func(l listener) bool { return l.Receiver == m.Receiver }) {
			list = append(list, m)
		}
	}
	return list
}

// named gives the receivers that a name in a route stands for at an instant.
func (a *Alerter) named(name string, at time.Time) []listener {
	schedule, ahead, ok := route.OnCall(name)
	if !ok {
		return []listener{{Receiver: name}}
	}
	receivers, duty := a.roster.Receivers(schedule, at, ahead)
	if duty.Person == "" {
		a.nobody(schedule, len(receivers) > 0)
	}
	out := make([]listener, len(receivers))
	for i, r := range receivers {
		out[i] = listener{Receiver: r, Ref: name, Person: duty.Person}
	}
	return out
}

// nobody says that nobody is on call to whom an alert would have gone.
func (a *Alerter) nobody(schedule string, instead bool) {
	a.metrics.gaps.WithLabelValues(schedule).Inc()
	if !instead {
		a.log.WithField("schedule", schedule).Error("nobody is on call, and the schedule has no default: an alert goes to nobody by it")
	}
}

// target gives the route's particulars for a receiver that is told.
func (acc *account) target(targets []route.Target, receiver string) route.Target {
	names := []string{receiver}
	if l := acc.listener(receiver); l != nil && l.Ref != "" {
		names = append(names, l.Ref)
	}
	for _, name := range names {
		if i := slices.IndexFunc(targets, func(t route.Target) bool { return t.Receiver == name }); i >= 0 {
			t := targets[i]
			if name != receiver {
				t.Group, t.Receiver = t.Group.For(receiver), receiver
			}
			return t
		}
	}
	return route.Target{Receiver: receiver}
}

// onCallNames gives the names by which routes call schedules.
func onCallNames(c oncall.Config) []string {
	names := make([]string, len(c.Schedules))
	for i := range c.Schedules {
		names[i] = route.OnCallName(c.Schedules[i].Name)
	}
	return names
}
