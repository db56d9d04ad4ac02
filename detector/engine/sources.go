package engine

import (
	"fmt"
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
}

// tellSources makes alerts of the nodes that were left out of the watermark or count again. The lane with the least
// idle speaks for all.
func (e *Engine) tellSources() {
	for i, l := range e.lanes {
		for _, c := range l.mark.Changes() {
			if i == 0 {
				e.tellSource(c, l.idle)
			}
		}
	}
}

func (e *Engine) tellSource(c window.Change, idle int64) {
	s := e.sources[c.Node]
	switch {
	case c.Out && s == nil:
		s = &source{start: c.At, parts: map[int]bool{c.Partition: true}}
		e.sources[c.Node] = s
		e.alerts = append(e.alerts, sourceAlert(c, s, idle, event.StateFiring))
	case c.Out:
		s.parts[c.Partition] = true
	case s != nil:
		delete(s.parts, c.Partition)
		if len(s.parts) == 0 {
			delete(e.sources, c.Node)
			e.alerts = append(e.alerts, sourceAlert(c, s, idle, event.StateResolved))
		}
	}
}

func sourceAlert(c window.Change, s *source, idle int64, state string) *event.Alert {
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
	case state == event.StateResolved:
		a.To = a.Time
		summary = fmt.Sprintf("%s counts again", part)
	case c.Silent:
		summary = fmt.Sprintf("nothing was heard of %s for %v", part, lag)
	}
	a.Annotations = map[string]string{"summary": summary}
	return a
}
