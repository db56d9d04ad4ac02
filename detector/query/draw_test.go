package query_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"imwatch/detector/rule"
	"imwatch/event"
)

// minutes is a calendar with gaps of a minute and less, at the time of base.
const minutes = `
zone: Asia/Shanghai
hours: {daily: ["07:59-08:00", "08:01-08:02"]}
`

func parse(t fatal, yaml string) *rule.Rule {
	t.Helper()
	rules, findings := rule.LoadFS(fstest.MapFS{"test.yaml": {Data: []byte(yaml)}, "calendars/minutes.yaml": {Data: []byte(minutes)}})
	if rule.HasErrors(findings) {
		t.Fatalf("%v\n%s", findings, yaml)
	}
	return rules[0]
}

// draws gives for each type what draws one, as the value of detect, for a group_by.
func draws() map[string]func(t *rapid.T, group string) string {
	return map[string]func(*rapid.T, string) string{
		rule.TypeThreshold: drawThreshold, rule.TypeRatio: drawRatio, rule.TypeMetric: drawMetric, rule.TypeCardinality: drawCardinality,
		rule.TypeSpike: drawSpike, rule.TypeAbsence: drawAbsence, rule.TypeNewTerm: drawNewTerm, rule.TypeConsecutive: drawConsecutive,
		rule.TypeSequence: drawSequence, rule.TypeTravel: drawTravel, rule.TypeAnomaly: drawAnomaly,
	}
}

func seconds(t *rapid.T, name string, least, most int) string {
	return fmt.Sprintf("%ds", rapid.IntRange(least, most).Draw(t, name))
}

func compared(t *rapid.T, limits []float64, ops ...string) string {
	return fmt.Sprintf("'%s %v'", rapid.SampledFrom(ops).Draw(t, "op"), rapid.SampledFrom(limits).Draw(t, "limit"))
}

func drawThreshold(t *rapid.T, _ string) string {
	return fmt.Sprintf("count: %s, window: %s", compared(t, []float64{1, 2, 3, 4, 5}, ">", ">=", "==", "!="), seconds(t, "window", 1, 15))
}

func drawRatio(t *rapid.T, _ string) string {
	return fmt.Sprintf("of: 'event.action: disconnect', is: %s, window: %s, min_total: %d",
		compared(t, []float64{0.25, 0.5, 0.75}, ">", ">=", "<", "<=", "==", "!="), seconds(t, "window", 1, 15), rapid.IntRange(0, 4).Draw(t, "min"))
}

func drawMetric(t *rapid.T, _ string) string {
	return fmt.Sprintf("field: im.heartbeat.rtt_ms, agg: %s, is: %s, window: %s, min_count: %d",
		rapid.SampledFrom([]string{"sum", "avg", "min", "max", "p1", "p50", "p99.9"}).Draw(t, "agg"),
		compared(t, []float64{-1, 0, 0.3, 2, 7}, ">", ">=", "<", "<=", "==", "!="), seconds(t, "window", 1, 15), rapid.IntRange(0, 3).Draw(t, "min"))
}

func drawCardinality(t *rapid.T, _ string) string {
	return fmt.Sprintf("field: %s, is: %s, window: %s",
		rapid.SampledFrom([]string{"client.ip", "event.type", "im.heartbeat.rtt_ms", "labels.zone", "user.id"}).Draw(t, "field"),
		compared(t, []float64{1, 2, 3, 4}, ">", ">=", "==", "!="), seconds(t, "window", 1, 20))
}

func drawSpike(t *rapid.T, _ string) string {
	return fmt.Sprintf("window: %s, baseline: %s, factor: %v, min_count: %d, direction: %s", seconds(t, "window", 1, 4), seconds(t, "baseline", 1, 10),
		rapid.SampledFrom([]float64{1.5, 2, 3}).Draw(t, "factor"), rapid.IntRange(0, 3).Draw(t, "min"), drawDirection(t))
}

func drawDirection(t *rapid.T) string {
	return rapid.SampledFrom([]string{"up", "down", "both"}).Draw(t, "direction")
}

func drawAbsence(t *rapid.T, group string) string {
	expect := fmt.Sprintf(", expect: {learn: %s}", seconds(t, "learn", 16, 40))
	switch {
	case group == "":
		expect = ""
	case group == "user.id" && rapid.Bool().Draw(t, "named"):
		expect = ", expect: [u1, never]"
	case group == "event.type, user.id" && rapid.Bool().Draw(t, "named"):
		expect = ", expect: [{event.type: info, user.id: u2}]"
	}
	return "window: " + seconds(t, "window", 1, 15) + expect
}

func drawNewTerm(t *rapid.T, group string) string {
	fields := []string{"client.ip", "event.type", "event.action", "labels.zone", "client.port"}
	field := rapid.SampledFrom(fields).Filter(func(f string) bool { return !strings.Contains(group, f) }).Draw(t, "field")
	return fmt.Sprintf("field: %s, history: %s, warmup: %s", field, seconds(t, "history", 1, 20), seconds(t, "warmup", 0, 15))
}

func drawConsecutive(t *rapid.T, _ string) string {
	detect := fmt.Sprintf("count: %d, max_gap: %s", rapid.IntRange(1, 4).Draw(t, "count"), seconds(t, "gap", 1, 15))
	if rapid.IntRange(0, 2).Draw(t, "resets") > 0 {
		detect += ", reset: 'event.action: disconnect'"
	}
	return detect
}

func drawSequence(t *rapid.T, _ string) string {
	var steps []string
	for i := range rapid.IntRange(2, 4).Draw(t, "steps") {
		step := "{where: '" + rapid.SampledFrom([]string{
			"event.action: connect", "event.action: heartbeat_missed", "event.action: disconnect", "event.type: start", "client.ip: *", "not client.ip: *",
		}).Draw(t, "step") + "'"
		switch {
		case i > 0 && rapid.IntRange(0, 2).Draw(t, "not") == 0:
			step += ", not: true"
		case rapid.IntRange(0, 2).Draw(t, "several") == 0:
			step += fmt.Sprintf(", times: %d", rapid.IntRange(2, 3).Draw(t, "times"))
		}
		steps = append(steps, step+"}")
	}
	return fmt.Sprintf("steps: [%s], within: %s", strings.Join(steps, ", "), seconds(t, "within", 1, 15))
}

func drawTravel(t *rapid.T, _ string) string {
	detect := fmt.Sprintf("max_kmh: %d, min_km: %v", rapid.SampledFrom([]int{900, 20_000, 90_000_000}).Draw(t, "max_kmh"),
		rapid.SampledFrom([]float64{0, 0.1, 5}).Draw(t, "min_km"))
	if rapid.Bool().Draw(t, "ignores") {
		detect += ", ignore: 'event.action: disconnect'"
	}
	return detect
}

func drawAnomaly(t *rapid.T, _ string) string {
	bucket := rapid.IntRange(1, 4).Draw(t, "bucket")
	detect := fmt.Sprintf("bucket: %ds, score: %d, direction: %s", bucket, rapid.IntRange(1, 3).Draw(t, "score"), drawDirection(t))
	if n := rapid.SampledFrom([]int{0, 2, 4}).Draw(t, "season"); n > 0 {
		detect += fmt.Sprintf(", season: %ds", n*bucket)
	}
	if rapid.IntRange(0, 2).Draw(t, "metric") == 0 {
		detect += fmt.Sprintf(", value: {field: im.heartbeat.rtt_ms, agg: %s}", rapid.SampledFrom([]string{"sum", "avg", "p50"}).Draw(t, "agg"))
	}
	return detect
}

// drawRule draws a rule of any type, or of the one that IMWATCH_TEST_TYPE names.
func drawRule(t *rapid.T) *rule.Rule {
	kind := os.Getenv("IMWATCH_TEST_TYPE")
	if kind == "" {
		kind = rapid.SampledFrom(slices.Sorted(maps.Keys(draws()))).Draw(t, "type")
	}
	group := rapid.SampledFrom([]string{"", "user.id", "event.type", "event.type, user.id", "client.ip", "labels.zone", "client.port"}).Draw(t, "group")
	hold := rapid.IntRange(0, 4).Draw(t, "for")
	where := []string{"", "where: 'event.action: connect'", "where: 'event.action: (connect or disconnect)'"}
	switch kind {
	case rule.TypeSequence:
		hold, where = 0, []string{"", "where: 'user.id: *'"} // which leaves events for every step
	case rule.TypeTravel, rule.TypeNewTerm:
		hold = 0 // they hold at instants only
	}
	return parse(t, fmt.Sprintf(`
id: r
title: a rule
severity: warn
%s
group_by: [%s]
detect: {%s: {%s}}
%s
for: %ds
resolve: {after: %s}
severity_when: {critical: "> 6"}
evidence: {keep: 3, top: {client.ip: 2}}
time: {lateness: 0s}
`, rapid.SampledFrom(where).Draw(t, "where"),
		group, kind, draws()[kind](t, group), rapid.SampledFrom([]string{"", "", "", "when: {calendar: minutes}", "when: {calendar: minutes, inside: false}"}).Draw(t, "when"),
		hold, seconds(t, "after", 0, 5)))
}

// drawRun draws the time that one run evaluates: mostly some windows, often a part of one.
func drawRun(t *rapid.T) time.Duration {
	most := rapid.SampledFrom([]int{1, 1_000, 5_000, 5_000, 20_000, 20_000, 240_000}).Draw(t, "at most")
	return time.Duration(rapid.IntRange(max(1, most/5), most).Draw(t, "run")) * time.Millisecond
}

func newEvent(action event.Action, at time.Time, id string) *event.Event {
	e := &event.Event{}
	e.Begin(action, at)
	e.SetText(event.FieldEventID, id)
	return e
}

func drawEvents(t *rapid.T) []*event.Event {
	var events []*event.Event
	at := 0
	weights := []float64{1, 1, 1, 2, 0.1, 0.7, 0}
	if rapid.IntRange(0, 5).Draw(t, "negative weights") == 0 {
		weights = append(weights, -1)
	}
	for i := range rapid.IntRange(0, 80).Draw(t, "events") {
		at += rapid.SampledFrom([]int{0, 0, 250, 500, 1000, 1000, 2000, 9000}).Draw(t, "step")
		e := newEvent(rapid.SampledFrom([]event.Action{event.ActionConnect, event.ActionConnect, event.ActionHeartbeatMissed, event.ActionDisconnect}).Draw(t, "action"),
			base.Add(time.Duration(at)*time.Millisecond), fmt.Sprintf("e%03d", i))
		e.SetText(event.FieldUserID, rapid.SampledFrom([]string{"", "u1", "u2"}).Draw(t, "user"))
		e.SetText(event.FieldClientIP, rapid.SampledFrom([]string{"", "192.0.2.1", "::ffff:192.0.2.1", "2001:DB8::1", "2001:db8::1"}).Draw(t, "ip"))
		e.SetList(event.FieldEventType, rapid.SampledFrom([][]string{nil, {"start"}, {"start", "info"}, {"info", "info"}}).Draw(t, "type")...)
		if zone := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "zone"); zone != "" {
			e.SetLabel("zone", zone)
		}
		if port := rapid.IntRange(0, 2).Draw(t, "port"); port > 0 {
			e.SetInt(event.FieldClientPort, int64(port))
		}
		if place := rapid.SampledFrom([]string{"", "31.2,121.5", "[121.5, 31.201]", `{"lat":31.3,"lon":121.5}`, "-31.2,-58.5"}).Draw(t, "place"); place != "" {
			e.Set(event.FieldClientGeoLocation, event.Value{Type: event.GeoPoint, Text: place})
		}
		drawNumbers(t, e)
		if w := rapid.SampledFrom(weights).Draw(t, "weight"); w != 1 {
			e.SetFloat(event.FieldSampleWeight, w)
		}
		events = append(events, e)
	}
	return events
}

// drawNumbers gives an event's values of the field that metrics are of.
func drawNumbers(t *rapid.T, e *event.Event) {
	number := rapid.SampledFrom([]float64{0, 0.1, 0.2, 0.3, 1, 2, 7, -2.5, 120, 1e17})
	values := make([]event.Value, rapid.SampledFrom([]int{0, 1, 1, 1, 3}).Draw(t, "numbers"))
	for i := range values {
		values[i] = event.FloatValue(number.Draw(t, "number"))
	}
	switch len(values) {
	case 0:
	case 1:
		e.Set(event.FieldHeartbeatRTT, values[0])
	default:
		v := values[0]
		v.List = values
		e.Set(event.FieldHeartbeatRTT, v)
	}
}
