package alerting

import (
	"cmp"
	"fmt"
	"slices"

	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/alerting/outbox"
	"imwatch/alerting/render"
	"imwatch/alerting/route"
	"imwatch/event"
)

// notification makes what the channel of a receiver is given. fold is how much room it has for several alerts; 0: it is
// told each by itself.
func (o PreviewOptions) notification(c Config, r *render.Renderer, rec *Receiver, fold int) (channel.Notification, error) {
	lang := cmp.Or(o.Language, rec.Language, c.Language)
	entries := make([]*outbox.Entry, len(o.Alerts))
	for i, a := range o.Alerts {
		line, err := a.MarshalJSON()
		if err != nil {
			return channel.Notification{}, err
		}
		entries[i] = &outbox.Entry{Receiver: rec.Name, Kind: o.Kind, Moment: a.Time, Alert: *a, Line: line}
	}
	if len(entries) == 1 {
		var err error
		entries[0].Message, err = r.Message(rec.style(), lang, o.Kind, o.Alerts[0])
		return entries[0].Notification(), err
	}
	if fold == 0 {
		return channel.Notification{}, fmt.Errorf("group: %s is told each alert by itself", rec.Channel())
	}
	g, err := o.group(c, rec.Name)
	if err != nil {
		return channel.Notification{}, err
	}
	for _, e := range entries {
		e.Group, e.GroupName = g.ID, g.Name
	}
	n := deliver.Together(entries, func(entries []*outbox.Entry) (m channel.Message) {
		m, err = r.Group(rec.style(), lang, g.Name, tellings(entries), fold)
		return m
	})
	return n, err
}

// group gives the group in which the configuration has the alerts told, that of their rule where it has none.
func (o PreviewOptions) group(c Config, receiver string) (route.Group, error) {
	tree, err := route.New(c.policy())
	if err != nil {
		return route.Group{}, err
	}
	first := groupFor(tree, o.Alerts[0], receiver)
	for _, a := range o.Alerts[1:] {
		if g := groupFor(tree, a, receiver); g.ID != first.ID {
			return first, fmt.Errorf("group: by its group_by the route tells %q and %q apart: give a key that they have in common", first.Name, g.Name)
		}
	}
	if first.ID == "" {
		return route.Group{ID: "preview", Name: "rule=" + o.Alerts[0].RuleID}, nil
	}
	return first, nil
}

// groupFor gives an alert's group for a receiver; for one that its routes do not name, that of another one.
func groupFor(tree *route.Tree, a *event.Alert, receiver string) route.Group {
	targets := tree.Targets(a)
	i := slices.IndexFunc(targets, func(t route.Target) bool { return t.Receiver == receiver })
	if i < 0 && len(targets) > 0 {
		i = 0
	}
	if i < 0 {
		return route.Group{}
	}
	return targets[i].Group
}
