package rule

import (
	"fmt"
	"reflect"
	"slices"

	"imwatch/event"
	"imwatch/event/filter"
)

// check looks at what only the whole rule can tell.
func (d *decoder) check(r *Rule) {
	d.checkTimes(r)
	d.checkKeys(r)
	d.checkSeverities(r)
	d.checkConsecutive(r)
	d.checkMetric(r)
	d.checkAbsence(r)
	d.checkSequence(r)
	d.checkAnomaly(r)
	d.checkFor(r)
	d.checkTests(r)
	d.checkReach(r)
	if !HasErrors(d.findings) { // a template needs a rule that is sound otherwise
		d.checkAnnotations(r)
	}
}

func (d *decoder) checkTimes(r *Rule) {
	window := r.Detect.Window()
	if window > 0 && r.Time.Lateness > window {
		d.warnAt("time.lateness", "lateness %s is longer than the window %s: every alert comes later than what it tells of",
			FormatDuration(r.Time.Lateness), FormatDuration(window))
	}
	if t := r.Detect.Threshold; t != nil && t.Count.Op == NotEqual && t.Count.Limit > 0 {
		d.warnAt("detect.threshold.count", "%q holds for an empty window too: once begun, such an alert ends only at exactly %v", t.Count, t.Count.Limit)
	}
}

// checkKeys warns of keys that are another for nearly every event.
func (d *decoder) checkKeys(r *Rule) {
	for i, f := range r.GroupBy {
		if endless(f) {
			d.warnAt(fmt.Sprintf("group_by.%d", i), "%s is another value for nearly every event, so that no group ever has many", f.Name)
		}
	}
}

// endless says whether a field is another value for nearly every event: ids of single things, texts, and what is
// measured.
func endless(f filter.Field) bool {
	switch f.Type {
	case event.Date, event.Text, event.Float:
		return true
	case event.Long:
		return !slices.Contains([]event.FieldID{
			event.FieldHTTPStatus, event.FieldCloseCode, event.FieldClosePeerCode, event.FieldDestinationPort, event.FieldClientPort, event.FieldClientASNumber,
			event.FieldConnAttempt, event.FieldHeartbeatMissed, event.FieldHeartbeatInterval, event.FieldMessageAttempt,
		}, f.ID)
	case event.Keyword, event.IP, event.Bool, event.GeoPoint, event.Flattened:
	}
	return slices.Contains([]event.FieldID{
		event.FieldEventID, event.FieldTraceID, event.FieldSpanID, event.FieldParentID, event.FieldMessageID,
	}, f.ID)
}

func (d *decoder) checkSeverities(r *Rule) {
	for _, e := range r.SeverityWhen {
		if r.Severity != "" && severityRank(e.Severity) <= severityRank(r.Severity) {
			d.failAt("severity_when."+e.Severity, "%s is not above the rule's severity %s; severity_when only raises it", e.Severity, r.Severity)
		}
	}
}

func (d *decoder) checkConsecutive(r *Rule) {
	c := r.Detect.Consecutive
	if c == nil || c.Reset == nil {
		return
	}
	if _, all := c.Reset.(filter.All); all {
		d.failAt("detect.consecutive.reset", "reset is true for every event and wins over where, so the rule could never fire")
	} else if reflect.DeepEqual(c.Reset, r.Where) {
		d.failAt("detect.consecutive.reset", "reset is the same as where and wins over it, so the rule could never fire")
	}
}

func (d *decoder) checkTests(r *Rule) {
	seen := map[string]int{}
	for i, t := range r.Tests {
		at := fmt.Sprintf("tests.%d", i)
		if first, double := seen[t.Name]; double && t.Name != "" {
			d.failAt(at+".name", "a test of this name stands in line %d already", first)
		}
		seen[t.Name] = t.Line
		for j, x := range t.Expect {
			d.checkExpect(r, x, fmt.Sprintf("%s.expect.%d", at, j))
		}
	}
}

func (d *decoder) checkExpect(r *Rule, x Expect, at string) {
	if x.Key == nil {
		return
	}
	var want, have []string
	for _, f := range r.KeyFields() {
		want = append(want, f.Name)
	}
	for _, p := range x.Key {
		have = append(have, p.Field)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		d.failAt(at+".key", "found the key fields %s, expected those of the alert: %s", orNone(have), orNone(want))
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return joinQuoted(names)
}
