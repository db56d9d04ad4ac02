package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// benchRules makes n threshold rules by address: each on one of ten actions, or all on every event.
func benchRules(b *testing.B, n int, each bool) []*rule.Rule {
	b.Helper()
	var all []string
	for i := range n {
		where := fmt.Sprintf("where: 'event.action: %s'\n", benchActions()[i%10].Code)
		if !each {
			where = ""
		}
		all = append(all, fmt.Sprintf("id: r%d\ntitle: a rule\nseverity: warn\n%sgroup_by: [client.ip]\ndetect: {threshold: {count: '> %d', window: 60s}}\n", i, where, 20+i))
	}
	rules, findings := rule.Parse("bench.yaml", []byte(strings.Join(all, "---\n")))
	if rule.HasErrors(findings) {
		b.Fatal(findings)
	}
	return rules
}

func benchActions() []event.Action {
	return []event.Action{
		event.ActionConnect, event.ActionDisconnect, event.ActionHandshakeFailure, event.ActionHeartbeatTimeout, event.ActionHeartbeatMissed,
		event.ActionResume, event.ActionResumeFailure, event.ActionSlowConsumer, event.ActionRateLimited, event.ActionMessageFailed,
	}
}

// benchmark evaluates decoded events of 100,000 addresses on 10 nodes, 20,000 a second of event time.
func benchmark(b *testing.B, rules []*rule.Rule) {
	b.Helper()
	const keys, perSecond = 100_000, 20_000
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	events := make([]*event.Event, 10_000)
	for i := range events {
		ev := &event.Event{}
		ev.Begin(benchActions()[i*7%10], base)
		ev.SetText(event.FieldServiceNode, fmt.Sprintf("im-%d", i%10))
		events[i] = ev
	}
	ips := make([]event.Value, keys)
	for i := range ips {
		ips[i] = event.IPValue(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	n := 0
	next := func() *event.Event {
		ev := events[n%len(events)]
		ev.Set(event.FieldTimestamp, event.DateValue(base.Add(time.Duration(n)*time.Second/perSecond)))
		ev.Set(event.FieldEventID, event.KeywordValue("im-1-0-"+strconv.Itoa(1_000_000_000+n)))
		ev.Set(event.FieldClientIP, ips[n*7919%keys])
		n++
		return ev
	}
	one := func() {
		e.Observe(0, next(), 0)
		if n%1000 == 0 {
			e.Advance()
		}
	}
	began := cpu(b)
	for range 60 * perSecond {
		next()
	}
	making := (cpu(b) - began) / (60 * perSecond)
	n = 0
	for range 60 * perSecond { // until windows are full
		one()
	}
	b.ReportAllocs()
	start := n
	began = cpu(b)
	for b.Loop() {
		one()
	}
	// Of CPU time, that of the collector included, less what making the events took: the machine may be shared.
	each := (cpu(b)-began)/time.Duration(n-start) - making
	b.ReportMetric(1/each.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(e.Keys()["r0"]), "keys")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTwentyRulesOnTenActions(b *testing.B) { benchmark(b, benchRules(b, 20, true)) }

func BenchmarkTwentyRulesOnEveryEvent(b *testing.B) { benchmark(b, benchRules(b, 20, false)) }

func BenchmarkSnapshot(b *testing.B) {
	e, err := engine.New(benchRules(b, 1, false), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 200_000 {
		ev := newEvent(event.ActionConnect, base.Add(time.Duration(i)*time.Microsecond))
		ev.SetText(event.FieldEventID, fmt.Sprintf("im-1-0-%010d", i))
		ev.SetText(event.FieldClientIP, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		e.Observe(0, ev, 0)
	}
	e.Finish(base.Add(time.Second).UnixNano())
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(e.Snapshot())))
	}
}

// BenchmarkPatterns evaluates one rule of each type that holds at instants, over 100,000 keys.
func BenchmarkPatterns(b *testing.B) {
	for name, detect := range map[string]string{
		"sequence": "sequence: {within: 60s, steps: [{where: 'event.action: connect'}, {where: 'event.action: disconnect', not: true}]}",
		"travel":   "travel: {}",
		"new_term": "new_term: {field: service.node.name, history: 60s, warmup: 1s}",
	} {
		b.Run(name, func(b *testing.B) {
			e, err := engine.New(parse(b, "id: r\ntitle: a rule\nseverity: warn\ngroup_by: [client.ip]\ndetect: {"+detect+"}\n"), engine.Options{})
			if err != nil {
				b.Fatal(err)
			}
			events := make([]*event.Event, 100_000)
			for i := range events {
				ev := newEvent(event.ActionConnect, base)
				ev.SetText(event.FieldServiceNode, fmt.Sprintf("im-%d", i%10))
				ev.Set(event.FieldClientIP, event.IPValue(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
				ev.Set(event.FieldClientGeoLocation, event.PointValue(31.2, 121.5))
				events[i] = ev
			}
			n := 0
			one := func() {
				ev := events[n%len(events)]
				ev.Set(event.FieldTimestamp, event.DateValue(base.Add(time.Duration(n)*50*time.Microsecond)))
				ev.Set(event.FieldEventID, event.KeywordValue("im-1-0-"+strconv.Itoa(1_000_000_000+n)))
				e.Observe(0, ev, 0)
				if n++; n%1000 == 0 {
					e.Advance()
				}
			}
			for range events {
				one()
			}
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
			u := e.Usage()["r"]
			b.ReportMetric(float64(u.StateBytes)/float64(u.Keys), "B/key")
			b.ReportMetric(float64(u.Keys), "keys")
		})
	}
}
