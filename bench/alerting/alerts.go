package main

import (
	"fmt"
	"time"

	"imwatch/event"
)

// alert is one in words that both understand.
type alert struct {
	id, rule, node, ip string
	severity           string
	held               bool // by a silence or another alert: it must not be told
}

// nodes is how many nodes alerts are of. An inhibition rule's source fires for one of them.
const nodes = 50

// alerts gives so many alerts of all rules, nodes and addresses. A part is held: one for each silence, spread evenly, and those
// that follow from a source.
func (b *bench) alerts(n int) []alert {
	all := make([]alert, n)
	down := map[string]bool{}
	for _, s := range b.sources() {
		down[s.rule+" "+s.node] = true
	}
	each := max(1, n/max(1, b.silences))
	for i := range all {
		a := alert{
			id: fmt.Sprintf("bench-%d", i), rule: fmt.Sprintf("rule-%d", i%b.rules), node: fmt.Sprintf("im-%d", i/b.rules%nodes),
			ip: ip(i), severity: event.Severities()[i%4],
		}
		a.held = i%each == 0 && i/each < b.silences || down[source(i%b.rules)+" "+a.node]
		all[i] = a
	}
	return all
}

func ip(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }

func source(rule int) string { return fmt.Sprintf("node-down-%d", rule) }

// sources are the alerts from which others follow: of a tenth of the rules.
func (b *bench) sources() []alert {
	var all []alert
	for i := range min(b.rules/10, 250) {
		all = append(all, alert{
			id: fmt.Sprintf("bench-source-%d", i), rule: source(i), node: fmt.Sprintf("im-%d", i%nodes), ip: fmt.Sprintf("192.0.2.%d", i+1), severity: "critical",
		})
	}
	return all
}

// silenced gives the addresses that are silenced, when so many alerts are handed in.
func (b *bench) silenced(n int) []string {
	var all []string
	each := max(1, n/max(1, b.silences))
	for i := 0; i < n && len(all) < b.silences; i += each {
		all = append(all, ip(i))
	}
	return all
}

// line is the alert as the detector writes it.
func (a alert) line(now time.Time) ([]byte, error) {
	e := event.Alert{
		Time: now, From: now, ID: a.id, State: event.StateFiring, RuleID: a.rule, RuleName: "Rule " + a.rule, Status: "enabled", Severity: a.severity,
		Key: []event.KeyPart{{Field: "client.ip", Value: a.ip}, {Field: "service.node.name", Value: a.node}}, Value: 21, Limit: "> 20", Window: "1m",
		Annotations: map[string]string{"summary": a.ip + ": 21 failed handshakes in a minute"},
	}
	return e.MarshalJSON()
}
