package explain

import (
	"fmt"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// report evaluates up to the instant and says how the key stands.
func (x *explanation) report() *Report {
	x.keep(x.engine.Finish(x.end))
	in := x.engine.Inspect(x.key, x.q.At)
	if !in.Known {
		in = x.engine.Inspect(x.unit, x.q.At)
	}
	r, out := &x.rule, &x.out
	out.Rule, out.Title, out.Status, out.Type, out.At = r.ID, r.Title, x.q.Rule.Status, r.Detect.Type, event.FormatTime(x.q.At)
	out.at = x.q.At
	out.Value, out.Limit, out.Window = in.Value, r.Detect.Limit(), r.Detect.WindowText()
	out.Since, out.Next = stamp(in.Since), stamp(in.Next)
	if !in.Holds {
		out.Missing = missing(in.Value, out.Limit)
	}
	out.Spell = spellOf(in.Spell)
	x.lists(in.Since)
	x.history()
	out.Verdict, out.Why = x.verdict(in)
	out.alert = event.Alert{
		Time: x.q.At, From: x.q.At, RuleID: r.ID, RuleName: r.Title, Status: x.q.Rule.Status, Severity: r.SeverityAt(in.Value), State: event.StateFiring,
		Key: out.keyParts, Value: in.Value, Limit: out.Limit, Labels: r.Labels,
	}
	if in.Spell != nil && in.Spell.ID != "" {
		out.alert.ID, out.alert.From, out.alert.Severity = in.Spell.ID, in.Spell.Start, in.Spell.Severity
	}
	return out
}

func settings(r *rule.Rule) Settings {
	s := Settings{
		For: rule.FormatDuration(r.For), Resolve: rule.FormatDuration(r.Resolve.After),
		Lateness: rule.FormatDuration(r.Time.Lateness), Idle: rule.FormatDuration(r.Time.Idle),
	}
	switch {
	case r.When == nil:
	case r.When.Inside:
		s.When = "inside the hours of the calendar " + r.When.Name
	default:
		s.When = "outside the hours of the calendar " + r.When.Name
	}
	return s
}

// lists fills the lists of events: those that count, and those near.
func (x *explanation) lists(since time.Time) {
	from := window.Add(x.end, 1-x.span)
	if !since.IsZero() {
		from = since.UnixNano()
	}
	x.out.Events, x.out.LeftOut.Events = x.taken.since(from)
	x.out.Near, x.out.LeftOut.Near = x.near.since(from)
	x.out.Late, x.out.LeftOut.Late = x.late.since(window.None)
	for i := range x.out.Events {
		if e := &x.out.Events[i]; e.Note != "" {
			x.note("event %s was %s; the stream waits %s, so it may have left it out as late", e.ID, e.Note, x.out.Settings.Lateness)
		}
	}
}

func (x *explanation) history() {
	x.out.History = []Change{}
	changes := x.changes
	if over := len(changes) - maxHistory; over > 0 {
		x.out.LeftOut.History = over
		changes = changes[over:]
	}
	for _, a := range changes {
		x.out.History = append(x.out.History, Change{event.FormatTime(a.Time), a.State, a.Value, a.Severity, a.ID})
	}
}

// verdict says in one sentence how the key stands and why.
func (x *explanation) verdict(in engine.Inspection) (verdict, why string) {
	value := fmt.Sprintf("value %s, limit %s", number(in.Value), x.out.Limit)
	if x.out.Window != "" {
		value += " within " + x.out.Window
	}
	sp := in.Spell
	switch {
	case sp == nil:
		return Quiet, x.quiet(value)
	case sp.Phase == "pending":
		return Pending, fmt.Sprintf("not yet: the condition holds since %s (%s), but must hold for %s, until %s",
			stamp(sp.Start), value, x.out.Settings.For, stamp(sp.FiresAt))
	case sp.Phase == "muted":
		return Quiet, fmt.Sprintf("no: the condition holds since %s (%s), but was to fire at an instant outside the rule's calendar, which is not made good later",
			stamp(sp.Start), value)
	case sp.Phase == "ceased":
		return Ceased, fmt.Sprintf("an alert is open since %s; its condition no longer holds (%s), and it is resolved at %s unless it holds again",
			stamp(sp.Start), value, stamp(sp.ResolvedAt))
	}
	return Firing, fmt.Sprintf("it fires since %s: %s", stamp(sp.Start), value)
}

func (x *explanation) quiet(value string) string {
	late := ""
	if n := len(x.out.Late); n > 0 {
		late = fmt.Sprintf("; %d events of the key came late and were not counted", n)
	}
	last := ""
	if n := len(x.out.History); n > 0 {
		last = fmt.Sprintf("; the last alert was %s at %s", x.out.History[n-1].State, x.out.History[n-1].Time)
	}
	switch {
	case x.read == 0:
		return "it does not fire: there is no event of this key" + last
	case len(x.out.Events) == 0 && len(x.out.Near) > 0:
		return fmt.Sprintf("it does not fire: no event counts; %d of the key are near, and each fails a part of the rule's conditions%s%s",
			len(x.out.Near)+x.out.LeftOut.Near, late, last)
	case len(x.out.Events) == 0:
		return "it does not fire: no event of the key is near" + late + last
	case x.out.Missing != "":
		return "it does not fire: " + value + ": " + x.out.Missing + late + last
	}
	return "it does not fire: " + value + late + last
}
