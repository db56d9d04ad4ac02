package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// SourceLate is the rule id of the alert that a node is left out of the watermark.
const SourceLate = "imwatch-source-late"

// sources are the alerts about nodes, by the node's name.
type sources map[string]*source

type source struct {
	start int64
	parts map[int]bool // in which it is left out
	told  bool         // there is an alert of it
	held  bool         // an absence rule told of the node meanwhile
	last  window.Change
	idle  int64
}

// tellSources makes alerts of the nodes that were left out of the watermark or count again. The lane with the least
// idle speaks for all.
func (e *Engine) tellSources() {
	for i, l := range e.lanes {
		for _, c := range l.mark.Changes() {
			if i == 0 {
				e.takeSource(c, l.idle)
			}
		}
	}
	for _, node := range slices.Sorted(maps.Keys(e.sources)) {
		e.tellSource(node, e.sources[node])
	}
}

// takeSource notes that a node is left out, or counts again.
func (e *Engine) takeSource(c window.Change, idle int64) {
	s := e.sources[c.Node]
	switch {
	case c.Out && s == nil:
		e.sources[c.Node] = &source{start: c.At, parts: map[int]bool{c.Partition: true}, last: c, idle: idle}
	case c.Out:
		s.parts[c.Partition] = true
	case s != nil:
		s.last = c
		delete(s.parts, c.Partition)
	}
	if s = e.sources[c.Node]; s != nil {
		e.tellSource(c.Node, s)
	}
}

// tellSource makes what is told of a node agree with what is known of it. While an absence rule tells that the node has
// fallen silent, that it is left out for it says nothing more.
func (e *Engine) tellSource(node string, s *source) {
	over := len(s.parts) == 0
	quiet := over || e.inhibited(node)
	now := max(s.start, e.lanes[0].clock)
	switch {
	case quiet && s.told:
		s.told = false
		if !over {
			s.last.At = now
		}
		e.alerts = append(e.alerts, sourceAlert(s.last, s, s.idle, event.StateResolved, !over))
	case !quiet && !s.told:
		if s.told = true; s.held { // another spell
			s.start, s.last.At, s.last.Lag = now, now, s.last.Lag+now-s.last.At
		}
		e.alerts = append(e.alerts, sourceAlert(s.last, s, s.idle, event.StateFiring, false))
	}
	s.held = quiet
	if over {
		delete(e.sources, node)
	}
}

// inhibited says whether an absence rule for nodes fires for one, and people are told of it.
func (e *Engine) inhibited(node string) bool {
	key := keyOf([]string{node})
	for _, l := range e.lanes {
		for _, r := range l.runners {
			if r.rule.Detect.Absence == nil || r.rule.Status != rule.StatusEnabled ||
				len(r.rule.GroupBy) != 1 || r.rule.GroupBy[0].ID != event.FieldServiceNode {
				continue
			}
			if k := r.known(key); k != nil && k.spell != nil && k.spell.open() {
				return true
			}
		}
	}
	return false
}

func sourceAlert(c window.Change, s *source, idle int64, state string, inhibited bool) *event.Alert {
	key := appendPart(nil, c.Node, c.Node == "")
	part := Part{Text: c.Node, Missing: c.Node == ""}
	at := max(c.At, s.start)
	a := &event.Alert{
		Time: instant(at), ID: alertID(SourceLate, string(key), s.start), State: state,
		RuleID: SourceLate, RuleName: "A node's events come late", Status: rule.StatusEnabled, Severity: "warn",
		Key:   []event.KeyPart{{Field: event.FieldByID(event.FieldServiceNode).Name, Value: part.String()}},
		Value: time.Duration(c.Lag).Seconds(), Limit: fmt.Sprintf("> %vs", time.Duration(idle).Seconds()), From: instant(s.start),
	}
	lag := time.Duration(c.Lag).Round(time.Millisecond)
	summary := fmt.Sprintf("%s lies %v behind the other nodes; its events are late until it has caught up", part, lag)
	switch {
	case inhibited:
		a.To = a.Time
		summary = fmt.Sprintf("an absence rule tells of %s now", part)
	case state == event.StateResolved:
		a.To = a.Time
		summary = fmt.Sprintf("%s counts again", part)
	case c.Silent:
		summary = fmt.Sprintf("nothing was heard of %s for %v", part, lag)
	}
	a.Annotations = map[string]string{"summary": summary}
	return a
}
