package elastic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
)

// TestRender pins the query of each kind of condition. That they find the right documents is the suite's to say.
func TestRender(t *testing.T) {
	user := filter.Equal{Field: on("user.id"), Value: event.KeywordValue("u")}
	long := func(n int64) *event.Value { v := event.LongValue(n); return &v }
	date := func(ns int64) *event.Value { v := event.DateValue(time.Unix(1795000000, ns)); return &v }
	ip := filter.Equal{Field: on("client.ip"), Value: event.IPValue("::ffff:192.0.2.1")}
	var text strings.Builder
	for _, c := range []struct {
		name string
		x    filter.Expr
	}{
		{"nil", nil},
		{"None", filter.None{}},
		{"empty And", filter.And{}},
		{"empty Or", filter.Or{}},
		{"Equal, keyword", user},
		{"Equal, address", ip},
		{"Equal, boolean", filter.Equal{Field: on("im.close.clean"), Value: event.BoolValue(true)}},
		{"Equal, date", filter.Equal{Field: on("event.ingested"), Value: *date(1)}},
		{"Equal, float", filter.Equal{Field: on("im.heartbeat.rtt_ms"), Value: event.FloatValue(0.1)}},
		{"Equal, text", filter.Equal{Field: on("message"), Value: event.TextValue("a b")}},
		{"Equal, fraction on an integer", filter.Equal{Field: on("event.duration"), Value: event.FloatValue(1.5)}},
		{"Equal, whole float on an integer", filter.Equal{Field: on("event.duration"), Value: event.FloatValue(2)}},
		{"And", filter.And{user, filter.And{ip, filter.All{}}}},
		{"Or", filter.Or{user, filter.Exists{Field: on("labels.a")}}},
		{"Or of one field", filter.Or{user, filter.Or{ip, filter.Equal{Field: on("user.id"), Value: event.KeywordValue("v")}}}},
		{"Not", filter.Not{X: user}},
		{"Not Not", filter.Not{X: filter.Not{X: user}}},
		{"Not of what is not exact", filter.Not{X: filter.Equal{Field: on("event.ingested"), Value: *date(1)}}},
		{"Exists", filter.Exists{Field: on("status")}},
		{"Exists, labels", filter.Exists{Field: filter.Field{Name: "labels.t*", ID: event.NoField, Wild: true}}},
		{"Equal, labels", filter.Equal{Field: filter.Field{Name: "l*", ID: event.NoField, Wild: true}, Value: event.KeywordValue("u")}},
		{"Exists, text", filter.Exists{Field: on("message")}},
		{"Range, number", filter.Range{Field: on("status"), From: long(400), FromClosed: true, To: long(500)}},
		{"Range, keyword", filter.Range{Field: on("user.id"), From: &user.Value}},
		{"Range, whole milliseconds", filter.Range{Field: on("@timestamp"), From: date(0), FromClosed: true, To: date(5e6)}},
		{"Range, nanoseconds", filter.Range{Field: on("@timestamp"), From: date(1), To: date(2), ToClosed: true}},
		{"Pattern", filter.Pattern{Field: on("path"), Parts: []string{"/ws?", "*", ""}}},
		{"Pattern, text", filter.Pattern{Field: on("message"), Parts: []string{"time", ""}}},
		{"CIDR", filter.CIDR{Field: on("client.ip"), Prefix: "10.1.2.3/8"}},
		{"CIDR, IPv4 inside IPv6", filter.CIDR{Field: on("client.ip"), Prefix: "::ffff:192.0.2.0/120"}},
		{"CIDR, all of IPv6", filter.CIDR{Field: on("client.ip"), Prefix: "::/0"}},
		{"Words", filter.Words{Field: on("message"), Words: []string{"a", "b"}}},
		{"Words, phrase", filter.Words{Field: on("message"), Words: []string{"a", "b"}, Phrase: true}},
		{"Words, none", filter.Words{Field: on("message"), Phrase: true}},
	} {
		got := render(c.x)
		dsl, err := json.Marshal(got.dsl)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s\n  exact: %v\n  %s\n", c.name, got.exact, dsl)
	}
	golden(t, "render", text.String())
}

// TestLargeOr stands for the keys of a great many groups.
func TestLargeOr(t *testing.T) {
	var or, mixed filter.Or
	for i := range maxClauses + 1 {
		key := filter.And{
			filter.Equal{Field: on("user.id"), Value: event.KeywordValue(fmt.Sprint("u", i))},
			filter.Equal{Field: on("event.action"), Value: event.KeywordValue("connect")},
		}
		or, mixed = append(or, key), append(mixed, key)
	}
	mixed = append(mixed, filter.Exists{Field: on("message")})
	got := render(or)
	if terms, ok := got.dsl["terms"].(obj); !ok || got.exact || len(terms["user.id"].([]any)) != maxClauses+1 {
		t.Errorf("rendered as %v", got)
	}
	if got := render(mixed); got.exact || !isAll(got.dsl) {
		t.Errorf("without a field in common: %v", got)
	}
}
