package ruletest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// Report is what became of the tests of some rules.
type Report struct {
	Results  []Result
	Coverage []Coverage     // one for each rule, those without tests included
	Refused  []rule.Finding // errors of rules that could not be loaded; only the JUnit report tells them
}

// Result is what became of one test.
type Result struct {
	RuleID   string
	File     string
	Line     int
	Name     string
	Failures []string // what differs; none: passed
	Late     int      // events that came late and were not counted
	Took     time.Duration
}

// Passed says whether nothing differed.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// Failed gives the results of the tests that failed.
func (r Report) Failed() []Result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(t Result) bool { return t.Passed() })
}

// Run runs all tests of rules, disabled ones included, in their order.
func Run(rules []*rule.Rule) Report {
	var report Report
	for _, r := range rules {
		p := newProbe(r)
		for i := range r.Tests {
			report.Results = append(report.Results, one(r, &r.Tests[i], p))
		}
		report.Coverage = append(report.Coverage, p.report)
	}
	return report
}

// start is when tests begin: any instant would do, but a whole hour makes messages easy to read.
func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func one(r *rule.Rule, t *rule.Test, p *probe) Result {
	res := Result{RuleID: r.ID, File: r.File, Line: t.Line, Name: t.Name}
	began := time.Now()
	sent := arrivals(t)
	alerts, err := evaluate(r, t, sent, &res.Late)
	p.watch(sent, alerts)
	if err != nil {
		res.Failures = []string{err.Error()}
	} else {
		res.Failures = compare(t.Expect, alerts)
	}
	if len(res.Failures) > 0 && res.Late > 0 {
		res.Failures = append(res.Failures, fmt.Sprintf("%d events came more than the lateness of %s too late and were not counted",
			res.Late, rule.FormatDuration(r.Time.Lateness)))
	}
	res.Took = time.Since(began)
	return res
}

// arrival is one event of a test on its way.
type arrival struct {
	at time.Duration
	ev *event.Event
}

func arrivals(t *rule.Test) []arrival {
	var all []arrival
	for i := range t.Events {
		te := &t.Events[i]
		happens := te.At.Instants(te.Count)
		arrives := happens
		if te.Arrives != nil {
			arrives = te.Arrives.Instants(te.Count)
		}
		for j := range happens {
			ev := &event.Event{}
			ev.SetText(event.FieldEventID, fmt.Sprintf("test-%010d", len(all)+1))
			te.Fill(ev)
			ev.SetTime(event.FieldTimestamp, start().Add(happens[j]))
			all = append(all, arrival{arrives[j], ev})
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return all
}

// evaluate gives the rule's state changes.
func evaluate(r *rule.Rule, t *rule.Test, sent []arrival, late *int) ([]*event.Alert, error) {
	tested := *r
	tested.Status = rule.StatusEnabled // a disabled rule is not evaluated, but its tests tell whether it could be
	rules := []*rule.Rule{&tested}
	var failed error
	o := engine.Options{
		File:  true,
		Late:  func(*rule.Rule, string, int64) { *late++ },
		Fault: func(err error) { failed = err },
	}
	e, err := engine.New(rules, o)
	if err != nil {
		return nil, err
	}
	var alerts []*event.Alert
	restart := t.RestartAt
	for _, a := range sent {
		if restart != nil && a.at > *restart {
			restart = nil
			alerts = append(alerts, e.Advance()...)
			if e, err = engine.Restore(rules, o, e.Snapshot()); err != nil {
				return nil, err
			}
		}
		e.Observe(0, a.ev, 0)
	}
	alerts = append(alerts, e.Advance()...)
	if restart != nil {
		if e, err = engine.Restore(rules, o, e.Snapshot()); err != nil {
			return nil, err
		}
	}
	end := e.Greatest()
	if t.Until != nil {
		end = max(end, start().Add(*t.Until).UnixNano())
	}
	alerts = append(alerts, e.Finish(end)...)
	alerts = slices.DeleteFunc(alerts, func(a *event.Alert) bool { return a.RuleID != r.ID })
	slices.SortStableFunc(alerts, engine.Order)
	return alerts, failed
}
