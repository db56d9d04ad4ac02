package filter_test

import (
	"testing"

	"imwatch/event"
	"imwatch/event/filter"
)

// predicates are conditions as rules have them, on an event that makes each look at its value.
func predicates(tb testing.TB) map[string]filter.Expr {
	tb.Helper()
	on := func(name string) filter.Field { return field(tb, name) }
	low, high := event.LongValue(1000), event.LongValue(1500)
	from, rtt := value(tb, event.Date, "2026-11-21T09:00:00Z"), event.FloatValue(3)
	ip := value(tb, event.IP, "192.0.2.0")
	action := filter.Equal{Field: on("event.action"), Value: event.KeywordValue("connect")}
	return map[string]filter.Expr{
		"keyword":       action,
		"one of":        filter.Or{action, filter.Equal{Field: on("event.action"), Value: event.KeywordValue("disconnect")}},
		"of a list":     filter.Equal{Field: on("event.category"), Value: event.KeywordValue("network")},
		"prefix":        filter.Pattern{Field: on("event.action"), Parts: []string{"con", ""}},
		"pattern":       filter.Pattern{Field: on("event.action"), Parts: []string{"c", "nn", "t"}},
		"long":          filter.Equal{Field: on("event.duration"), Value: high},
		"long range":    filter.Range{Field: on("event.duration"), From: &low, To: &high},
		"float range":   filter.Range{Field: on("im.heartbeat.rtt_ms"), From: &rtt},
		"date range":    filter.Range{Field: on("@timestamp"), From: &from},
		"boolean":       filter.Equal{Field: on("im.close.clean"), Value: event.BoolValue(false)},
		"address":       filter.Equal{Field: on("client.ip"), Value: value(tb, event.IP, "192.0.2.7")},
		"IPv6 address":  filter.Equal{Field: on("client.ip"), Value: value(tb, event.IP, "2001:db8::1")},
		"address range": filter.Range{Field: on("client.ip"), From: &ip},
		"network":       filter.CIDR{Field: on("client.ip"), Prefix: "192.0.2.0/24"},
		"label":         filter.Equal{Field: on("labels.team"), Value: event.KeywordValue("im")},
		"exists":        filter.Exists{Field: on("labels.team")},
		"word":          filter.Words{Field: on("error.message"), Words: []string{"refused"}},
		"phrase":        filter.Words{Field: on("error.message"), Words: []string{"connection", "refused"}, Phrase: true},
		"rule":          filter.And{action, filter.Not{X: filter.CIDR{Field: on("client.ip"), Prefix: "10.0.0.0/8"}}, filter.Range{Field: on("event.duration"), From: &low}},
	}
}

const benchLine = `{"@timestamp":"2026-11-21T10:00:00Z","event":{"action":"connect","category":["session","network"],"duration":1500},
	"client":{"ip":"192.0.2.7"},"error":{"message":"dial tcp 192.0.2.1:9092: connection refused"},"im":{"close":{"clean":false},"heartbeat":{"rtt_ms":3.5}},"labels":{"team":"im"}}`

// TestPredicatesDoNotAllocate holds what the engine does most often to no garbage at all.
func TestPredicatesDoNotAllocate(t *testing.T) {
	var e event.Event
	if err := event.Decode([]byte(benchLine), &e); err != nil {
		t.Fatal(err)
	}
	for name, x := range predicates(t) {
		match := filter.Compile(x)
		if n := testing.AllocsPerRun(100, func() { match(&e) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkPredicate(b *testing.B) {
	var e event.Event
	if err := event.Decode([]byte(benchLine), &e); err != nil {
		b.Fatal(err)
	}
	for name, x := range predicates(b) {
		match := filter.Compile(x)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				match(&e)
			}
		})
	}
}
