package rule

import (
	"strings"
	"testing"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"

	"pgregory.net/rapid"
)

func TestNever(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`event.action: connect and event.action: disconnect`:       "event.action has one value",
		`status > 500 and status < 400`:                            "http.response.status_code > 500 and http.response.status_code < 400",
		`status > 500 and status < 501`:                            "one value",
		`status >= 500 and status <= 500`:                          "",
		`status: 404 and status >= 500`:                            "one value",
		`status: * and not status: *`:                              "cannot both be true",
		`status: 500 and not status >= 400`:                        "cannot both be true",
		`status: * and not status >= 400 and status > 400`:         "one value",
		`not status >= 400 and not status < 400`:                   "", // it may be missing
		`url.path: /ws* and url.path: /api*`:                       "one value",
		`url.path: /ws* and url.path: /ws/a*`:                      "",
		`url.path: "/ws/x" and not url.path: /ws*`:                 "cannot both be true",
		`url.path: *a and url.path: *b`:                            "one value",
		`client.ip: 10.0.0.0/8 and client.ip: 192.0.2.0/24`:        "one value",
		`client.ip: 10.0.0.0/8 and client.ip: 10.1.0.0/16`:         "",
		`client.ip: 192.0.2.1 and client.ip: 10.0.0.0/8`:           "one value",
		`event.category: session and event.category: network`:      "", // a list
		`labels.a: x and labels.a: y`:                              "",
		`message: a and message: b`:                                "",
		`message: a and not message: a`:                            "cannot both be true",
		`(event.action: a or event.action: b) and event.action: c`: "the other ways of being true fail alike",
		`(event.action: a or event.action: c) and event.action: c`: "",
		`not (event.action: a or not event.action: a)`:             "cannot both be true",
		`user.id: (a and b)`:                                       "one value",
		`im.heartbeat.rtt_ms > 1.5 and im.heartbeat.rtt_ms < 1.5`:  "one value",
		`client.ip: "::ffff:192.0.2.1" and client.ip: 192.0.2.1`:   "",
		``: "",
	} {
		x, err := kql.Parse(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if got := never(x); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}

// What is called impossible must be so for every event.
func TestNeverIsSure(t *testing.T) {
	impossible := 0
	rapid.Check(t, func(t *rapid.T) {
		leaves := []string{
			"status: 1", "status: 2", "status > 1", "status >= 2", "status < 2", "status <= 1", "status: *", "user.id: a", "user.id: ab", "user.id: a*", "user.id: *b",
			"user.id > a", "user.id < ab", "user.id: *", "client.ip: 10.0.0.0/8", "client.ip: 10.0.0.1", "client.ip: 192.0.2.0/24", "client.ip: *", "message: out", "event.category: session",
		}
		var expr func(depth int) filter.Expr
		expr = func(depth int) filter.Expr {
			switch k := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case depth == 0 || k < 2:
				x, err := kql.Parse(rapid.SampledFrom(leaves).Draw(t, "leaf"))
				if err != nil {
					t.Fatal(err)
				}
				return x
			case k == 2:
				return filter.Not{X: expr(depth - 1)}
			case k == 3:
				return filter.Or{expr(depth - 1), expr(depth - 1)}
			}
			return filter.And{expr(depth - 1), expr(depth - 1)}
		}
		x := expr(4)
		if never(x) == "" {
			return
		}
		impossible++
		holds := filter.Compile(x)
		for _, status := range []int64{0, 1, 2, 3} {
			for _, user := range []string{"", "a", "ab", "b", "aab"} {
				for _, ip := range []string{"", "10.0.0.1", "10.0.0.2", "192.0.2.1"} {
					ev := &event.Event{}
					if status > 0 {
						ev.SetInt(event.FieldHTTPStatus, status)
					}
					if user != "" {
						ev.SetText(event.FieldUserID, user)
					}
					if ip != "" {
						ev.Set(event.FieldClientIP, event.IPValue(ip))
					}
					if rapid.Bool().Draw(t, "more") {
						ev.Set(event.FieldMessage, event.TextValue("out"))
						ev.SetList(event.FieldEventCategory, "session", "network")
					}
					if holds(ev) {
						t.Fatalf("%s is true for %s, but called impossible: %s", kql.Format(x), ev.AppendJSON(nil), never(x))
					}
				}
			}
		}
	})
	if impossible == 0 {
		t.Error("no condition was found impossible")
	}
}
