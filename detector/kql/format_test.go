package kql_test

import (
	"testing"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"

	"pgregory.net/rapid"
)

// What Format prints must be read as a condition that selects the same events.
func TestFormattedConditionsAreReadAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t}
		want := w.expr(3)
		src := kql.Format(want)
		got, err := kql.Parse(src)
		if err != nil {
			t.Fatalf("%s: %v (made of %s)", src, err, show(want))
		}
		before, after := filter.Compile(want), filter.Compile(got)
		for range 20 {
			e := w.event()
			if before(e) != after(e) {
				t.Fatalf("%s\nmade %s\nread %s\ndiffer on %s", src, show(want), show(got), e.AppendJSON(nil))
			}
		}
	})
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`event.action: connect`:                              `event.action: connect`,
		`status >= 500 and (path: "/ws" or path: /im*)`:      `http.response.status_code >= 500 and (url.path: /ws or url.path: /im*)`,
		`client.ip: 192.0.2.0/24`:                            `client.ip: "192.0.2.0/24"`,
		`not (user.id: a and user.id: b)`:                    `not (user.id: a and user.id: b)`,
		`user.id: "or"`:                                      `user.id: "or"`,
		`message: "out of memory" or message: disk`:          `message: "out of memory" or message: disk`,
		`user.id: ("a b" or *x)`:                             `user.id: "a b" or user.id: *x`,
		`http.response.status_code > 399 and status < 500.5`: `http.response.status_code > 399 and http.response.status_code < 500.5`,
		``: `*: *`,
	} {
		x, err := kql.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		if got := kql.Format(x); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
	if got := kql.Format(filter.Range{Field: field("event.duration"), From: new(event.LongValue(1)), To: new(event.LongValue(2)), ToClosed: true}); got != "event.duration > 1 and event.duration <= 2" {
		t.Error(got)
	}
}
