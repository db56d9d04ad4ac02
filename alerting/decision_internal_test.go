package alerting

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/outbox"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
	"imwatch/alerting/webhook"
	"imwatch/event"

	"github.com/sirupsen/logrus"
)

// The sizes of BenchmarkDecision.
const (
	activeAlerts = 10_000
	manySilences = 1_000
	manyRules    = 200 // of inhibition
)

// person is a channel that can be told several alerts at once.
type person struct{ Channel }

func (person) Budget() channel.Budget { return channel.Budget{Fold: 4000} }

// busy makes an alerter with many silences and rules of inhibition, groups, and flapping.
func busy(tb testing.TB) *Alerter {
	tb.Helper()
	cfg := DefaultConfig()
	mail, hook := NewReceiver("mail"), NewReceiver("hook")
	mail.Webhook, hook.Webhook = &webhook.Config{URL: "http://in.process"}, &webhook.Config{URL: "http://in.process"} // neither is called
	cfg.Receivers = []Receiver{mail, hook}
	cfg.Flapping.Fires = 4
	cfg.Route = route.Config{Receivers: []string{"mail"}, GroupBy: []string{"labels.team", "key.service.node.name"}, Routes: []route.Config{
		{Match: []string{"severity = critical"}, Receivers: []string{"mail", "hook"}, GroupWait: time.Second},
		{Match: []string{`labels.team =~ "core|gateway"`}, RepeatInterval: time.Hour},
	}}
	for i := range manySilences {
		match := []string{fmt.Sprintf("rule = rule-%d", i%50), fmt.Sprintf("key.client.ip = 198.51.100.%d", i)}
		if i%10 == 0 {
			match = []string{fmt.Sprintf(`key.service.node.name =~ "old-%d-.*"`, i), "severity = warn"}
		}
		cfg.Silences = append(cfg.Silences, &silence.Silence{ID: fmt.Sprint("s-", i), Match: match, Author: "ops", Reason: "test", Until: time.Now().Add(24 * time.Hour)})
	}
	for i := range manyRules {
		cfg.Inhibit = append(cfg.Inhibit, inhibit.Rule{
			Source: []string{fmt.Sprintf("rule = parent-%d", i)}, Target: []string{fmt.Sprintf("rule = rule-%d", i%50)}, Equal: []string{"key.service.node.name"},
		})
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	a, err := New(cfg, Deps{Log: log, Channel: func(r Receiver) (Channel, error) {
		if r.Name == "mail" {
			return person{}, nil
		}
		return struct{ Channel }{}, nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// incident makes one of the alerts, fifty for each node; the first of them holds one of the others back.
func incident(i int, from time.Time) *event.Alert {
	rule := fmt.Sprint("rule-", i%50)
	if i%50 == 0 {
		rule = fmt.Sprint("parent-", i/50%manyRules)
	}
	return &event.Alert{
		Time: from, ID: fmt.Sprintf("%032x", i), State: event.StateFiring, RuleID: rule, RuleName: "Rule", Status: "enabled",
		Severity: event.Severities()[1+i%3], Labels: map[string]string{"team": []string{"im", "core", "gateway"}[i%3]}, From: from,
		Key: []event.KeyPart{{Field: "service.node.name", Value: fmt.Sprint("im-", i/50)}, {Field: "client.ip", Value: fmt.Sprintf("192.0.%d.%d", i/250, i%250)}},
	}
}

// decide1 is all that is decided about a state of an alert, without words and the store: who is told, in which group and
// when, what holds it back.
func (a *Alerter) decide1(alert *event.Alert, now time.Time) {
	a.noted(alert)
	it := &Item{Alert: *alert, Kind: channel.Kind(alert.State), Moment: alert.Time, KeptAt: now}
	for _, t := range a.tree.Targets(alert) {
		e := a.entry(t, it.Kind, it)
		_, _ = a.gate(e, now)
		a.receivers[t.Receiver].queue.Add(e.Ref())
	}
}

// drain takes all out of the queues, a group at a time.
func (a *Alerter) drain(now time.Time) (n int) {
	for _, r := range a.receivers {
		for {
			head, _, _, ok := r.queue.Head(now)
			if !ok {
				break
			}
			refs := r.queue.TakeGroup(head.Group, now, 500)
			if head.Group == "" {
				refs = r.queue.Take(now, 1)
			}
			for _, ref := range refs {
				r.queue.Drop(ref)
			}
			n += len(refs)
		}
	}
	return n
}

// BenchmarkDecision: with 10,000 alerts that fire, 1,000 silences, 200 rules of inhibition, groups and flapping. It also
// says how much memory each alert takes.
func BenchmarkDecision(b *testing.B) {
	a := busy(b)
	now := time.Now()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	alerts := make([]*event.Alert, activeAlerts)
	for i := range alerts {
		alerts[i] = incident(i, now.Add(-time.Duration(i)*time.Millisecond))
		a.decide1(alerts[i], now)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held, ok := a.gate(&outbox.Entry{Kind: channel.Firing, Alert: *alerts[51]}, now); !ok || held.Why != inhibited {
		b.Fatalf("nothing is held back: %+v", held)
	}
	if n := a.drain(now.Add(time.Hour)); n < activeAlerts {
		b.Fatalf("%d notifications of %d alerts", n, activeAlerts)
	}
	i := 0
	for b.Loop() {
		if i > 0 && i%activeAlerts == 0 {
			a.drain(now.Add(time.Hour))
		}
		a.decide1(alerts[i%activeAlerts], now)
		i++
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/activeAlerts, "B/alert")
}

// TestDecisionsAreGrouped: what the benchmark measures does what it is meant to.
func TestDecisionsAreGrouped(t *testing.T) {
	a, now := busy(t), time.Now()
	for i := range 900 {
		a.decide1(incident(i, now), now)
	}
	mail := a.receivers["mail"].queue
	if n := mail.Len(); n != 900 {
		t.Errorf("%d of 900 wait", n)
	}
	if n := a.receivers["hook"].queue.Len(); n != 300 {
		t.Errorf("%d of 300 critical ones wait for the program", n)
	}
	at := now.Add(time.Minute)
	groups := 0
	for n := 0; n < 900; groups++ {
		head, _, _, ok := mail.Head(at)
		if !ok {
			t.Fatalf("%d were taken", n)
		}
		refs := mail.TakeGroup(head.Group, at, 500)
		for _, r := range refs {
			if r.Group != head.Group {
				t.Errorf("%s in %s", r.Group, head.Group)
			}
			mail.Drop(r)
		}
		n += len(refs)
	}
	if groups != 54 { // 18 nodes, 3 teams
		t.Errorf("%d groups, want 54", groups)
	}
}
