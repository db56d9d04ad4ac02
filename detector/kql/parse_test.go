package kql_test

import (
	"errors"
	"strings"
	"testing"

	"imwatch/detector/kql"
	"imwatch/event"
	"imwatch/event/filter"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"empty is everything", "  ", "all"},
		{"everything", "*: *", "all"},
		{"a value", "event.action: connect", "event.action=keyword<connect>"},
		{"no spaces", "event.action:connect", "event.action=keyword<connect>"},
		{"spaces around", " event.action : connect ", "event.action=keyword<connect>"},
		{"an alias is its field", `status:500 AND path:"/ws/connect"`, "and(http.response.status_code=long<500>, url.path=keyword</ws/connect>)"},
		{"and binds tighter than or", "level: a or level: b and level: c", "or(log.level=keyword<a>, and(log.level=keyword<b>, log.level=keyword<c>))"},
		{"not binds tightest", "not level: a and level: b", "and(not(log.level=keyword<a>), log.level=keyword<b>)"},
		{"parentheses", "level: c AND (level: a Or level: b)", "and(log.level=keyword<c>, or(log.level=keyword<a>, log.level=keyword<b>))"},
		{"nested parentheses", "((level: a))", "log.level=keyword<a>"},
		{"not of parentheses", "not (level: a or not level: b)", "not(or(log.level=keyword<a>, not(log.level=keyword<b>)))"},
		{"a list", "log.level: (error or fatal)", "or(log.level=keyword<error>, log.level=keyword<fatal>)"},
		{"a list with and, not", "event.type: (start and not (end or info))", "and(event.type=keyword<start>, not(or(event.type=keyword<end>, event.type=keyword<info>)))"},
		{"words are one keyword", "user.id:  two  words and level: x", "and(user.id=keyword<two  words>, log.level=keyword<x>)"},
		{"words are any of the text", "message: Out of memory", `message has ["out" "of" "memory"] phrase=false`},
		{"a phrase of the text", `message: "Out of memory"`, `message has ["out" "of" "memory"] phrase=true`},
		{"keywords inside words are none", "user.id: android or user.id: nothing", "or(user.id=keyword<android>, user.id=keyword<nothing>)"},
		{"escaped keywords", `user.id: this \and that \OR \not `, "user.id=keyword<this and that OR not>"},
		{"escaped characters", `url.path: \:\(\*\)\\`, `url.path=keyword<:(*)\>`},
		{"escapes in quotes", `user.id: "a\"b\\c\td\u00e9\u{"`, "user.id=keyword<a\"b\\c\tdé\\u{>"},
		{"escaped words go on", `user.id: \order \andy`, "user.id=keyword<order andy>"},
		{"an escaped space at the end is none", `user.id: \t x \n`, "user.id=keyword<x>"},
		{"NULL is a name", "user.id: NULL", "user.id=keyword<NULL>"},
		{"null in quotes", `user.id: "null"`, "user.id=keyword<null>"},
		{"an ideographic space inside", "user.id: a\u3000b\u3000", "user.id=keyword<a\u3000b>"},
		{"a field wildcard: short names", "stat*: 500", "http.response.status_code=long<500>"},
		{"a field wildcard: labels", "labels.t*m: x", "labels.t*m=keyword<x>"},
		{"a word of emoji", "message: 😀", `message has ["😀"] phrase=false`},
		{"both halves of a character", `user.id: "\uD83D\uDE00"`, "user.id=keyword<😀>"},
		{"question marks are literal", "user.id: a?b", "user.id=keyword<a?b>"},
		{"a wildcard", "url.path: */ws/*", `url.path~["" "/ws/" ""]`},
		{"a star in quotes is a star", `url.path: "*/ws"`, "url.path=keyword<*/ws>"},
		{"a quoted star is no exists", `url.path: "*"`, "url.path=keyword<*>"},
		{"exists", "im.close.code: *", "im.close.code:*"},
		{"not exists", "not im.close.code:*", "not(im.close.code:*)"},
		{"a wildcard on text", "message: Time* out", `or(message~["time" ""], message has ["out"] phrase=false)`},
		{"a quoted field", `"event.action": connect`, "event.action=keyword<connect>"},
		{"field wildcard: those that the value fits", "im.close.*: 1000", "or(im.close.code=long<1000>, im.close.peer_code=long<1000>, im.close.reason=keyword<1000>, im.close.initiator=keyword<1000>, im.close.phase=keyword<1000>, im.close.retry=keyword<1000>)"},
		{"field wildcard: exists", "im.bytes.*: *", "or(im.bytes.in:*, im.bytes.out:*)"},
		{"field wildcard: one", "service.n*: im-1", "or(service.name=keyword<im-1>, service.node.name=keyword<im-1>)"},
		{"field wildcard: range", "im.bytes.* > 5", "or(im.bytes.in(5 …), im.bytes.out(5 …))"},
		{"a label", "labels.team: im", "labels.team=keyword<im>"},
		{"a number as a string", `http.response.status_code: "500"`, "http.response.status_code=long<500>"},
		{"a number with a point", "http.response.status_code: 500.0", "http.response.status_code=long<500>"},
		{"ranges", "status >= 500 and status<600", "and(http.response.status_code[500 …), http.response.status_code(… 600))"},
		{"a range with a fraction", "event.duration > 1.5", "event.duration(1.5 …)"},
		{"a float", "im.heartbeat.rtt_ms <= 1e3", "im.heartbeat.rtt_ms(… 1e3]"},
		{"a range of keywords", `service.version >= "1.2"`, "service.version[1.2 …)"},
		{"a boolean", "im.close.clean: true", "im.close.clean=boolean<true>"},
		{"an address", "client.ip: 192.0.2.1", "client.ip=ip<192.0.2.1>"},
		{"an IPv6 address", `client.ip: "2001:db8::1"`, "client.ip=ip<2001:db8::1>"},
		{"a network", "client.ip: 192.0.2.77/24", "client.ip in 192.0.2.0/24"},
		{"addresses from to", "client.ip >= 192.0.2.1", "client.ip[192.0.2.1 …)"},
		{"a day", `@timestamp: "2026-11-21"`, "@timestamp[2026-11-21T00:00:00.000Z 2026-11-22T00:00:00.000Z)"},
		{"a month is its first day", "@timestamp: 2026-11", "@timestamp[2026-11-01T00:00:00.000Z 2026-11-02T00:00:00.000Z)"},
		{"after a day", "@timestamp > 2026-11-21", "@timestamp[2026-11-22T00:00:00.000Z …)"},
		{"from a day", "@timestamp >= 2026-11-21", "@timestamp[2026-11-21T00:00:00.000Z …)"},
		{"before a day", "@timestamp < 2026-11-21", "@timestamp(… 2026-11-21T00:00:00.000Z)"},
		{"up to a day", "@timestamp <= 2026-11-21", "@timestamp(… 2026-11-22T00:00:00.000Z)"},
		{"a minute in a zone", `@timestamp: "2026-11-21T10:00+08:00"`, "@timestamp[2026-11-21T02:00:00.000Z 2026-11-21T02:01:00.000Z)"},
		{"an instant", `@timestamp > "2026-11-21T10:00:00.5Z"`, "@timestamp(2026-11-21T10:00:00.500Z …)"},
		{"line ends are spaces", "level: error\n  and\n  status: 500\n", "and(log.level=keyword<error>, http.response.status_code=long<500>)"},
		{"a space that does not break", "level:\u00a0error\u00a0and status:\u00a0500", "and(log.level=keyword<error>, http.response.status_code=long<500>)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := kql.Parse(c.src)
			if err != nil {
				t.Fatalf("%s: %v", c.src, err)
			}
			if got := show(x); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.src, got, c.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		name, src string
		column    int
		want      string // part of the message
	}{
		{"a bare word", "timeout", 1, `without a field; write field: value, as in message: timeout`},
		{"a bare word later", "level: error and timeout", 18, `"timeout" without a field`},
		{"a bare phrase", `"a b"`, 1, `message: "a b"`},
		{"equals signs", "level == error", 1, "equality is written with a colon"},
		{"C's and", "a && b", 1, "joined by the words and, or"},
		{"an unknown field", "client.ipp: 192.0.2.1", 1, `unknown field "client.ipp"; the nearest is client.ip`},
		{"an unknown field far from all", "zzzzzzzzzzzz: 1", 1, `unknown field "zzzzzzzzzzzz"`},
		{"a pattern without fields", "nope.*: 1", 1, `no field matches "nope.*"`},
		{"null in a range", "user.id > null", 11, "found null"},
		{"null among fields", "im.bytes.*: null", 13, "not field: *"},
		{"a network of IPv4 too small", "client.ip: 192.0.2.0/33", 12, "expected an IP address or a prefix"},
		{"an address with a zone", `client.ip: "fe80::1%eth0"`, 12, "expected an IP address"},
		{"a range of a network", "client.ip > 192.0.2.0/24", 13, "expected an IP address"},
		{"a range in a list", "status: (> 5)", 10, "found `>`, expected a value"},
		{"full-width punctuation", "level：error", 1, "full-width punctuation"},
		{"a phrase alone in a list", `level: error and ("a b")`, 19, `"a b" without a field`},
		{"nested in a list", "level: (a or {b: c})", 14, "nested conditions are not allowed"},
		{"a star alone", "*", 1, "without a field"},
		{"now in a list", `@timestamp: ("2026" or now)`, 24, "times that depend on when one looks"},
		{"a dangling or in a list", "level: (a or)", 13, "found `)`, expected a value"},
		{"a hexadecimal escape cut short", `user.id: a\u00`, 11, "escapes nothing"},
		{"no number", "status: abc", 9, `http.response.status_code: found "abc", expected a number`},
		{"a fraction on an integer", "status: 500.5", 9, `found "500.5", expected an integer`},
		{"hexadecimal", "status: 0x1F4", 9, "expected a number"},
		{"a wildcard on a number", "status: 5*", 9, "a wildcard is allowed only alone"},
		{"a wildcard on an address", "client.ip: 192.0.*", 12, "a wildcard is allowed only alone"},
		{"no address", "client.ip: 192.0.2", 12, "expected an IP address"},
		{"no network", "client.ip: 192.0.2.0/33", 12, "expected an IP address or a prefix"},
		{"no boolean", "im.close.clean: yes", 17, `expected true or false`},
		{"no date", "@timestamp: yesterday", 13, "expected a date as"},
		{"an hour of one digit", `@timestamp: "2026-11-21T9:00Z"`, 13, "expected a date as"},
		{"no such day", "@timestamp: 2026-02-30", 13, "expected a date as"},
		{"milliseconds since 1970", "@timestamp > 1700000000000", 14, "expected a date as"},
		{"a date too far", "@timestamp: 2300-01-01", 13, "between 1678 and 2262"},
		{"now", "@timestamp > now-1h", 14, "times that depend on when one looks"},
		{"date math", `@timestamp > "2026-11-21||/d"`, 14, "date math"},
		{"a colon in a value", "client.ip: 2001:db8::1", 16, "must be in quotes"},
		{"null", "user.id: null", 10, "not user.id: *"},
		{"nested", "event: {action: connect}", 8, "nested conditions are not allowed"},
		{"a brace after a field", "event {action: connect}", 7, "expected `:`"},
		{"a range on a text", "message > a", 11, "which has no order"},
		{"a range on a boolean", "im.close.clean > false", 18, "which has no order"},
		{"a range with a wildcard", "status > *", 10, "wildcard after >"},
		{"a range with a list", "status > (1 or 2)", 10, "expected one value"},
		{"a place's value", "client.geo.location: here", 22, "can only be asked for"},
		{"no word", `message: "…"`, 10, "at least one word"},
		{"no value", "level:", 7, "found the end, expected a value"},
		{"no value before and", "level: and status: 1", 8, "found `and`, expected a value"},
		{"no field", ": x", 1, "found `:`, expected a field"},
		{"nothing after and", "level: x and", 13, "found the end, expected a field"},
		{"and at the beginning", "and level: x", 1, "found `and`, expected a field"},
		{"not inside a value", "level: a not b", 10, "found `not`, expected `and`, `or` or the end"},
		{"an empty list", "level: ()", 9, "found `)`, expected a value"},
		{"an open parenthesis", "(level: a", 10, "found the end, expected `)`"},
		{"an open list", "level: (a or b", 15, "found the end, expected `)`"},
		{"a closed one too many", "level: a)", 9, "found `)` without its `(`"},
		{"an open quote", `level: "a`, 8, "never closed"},
		{"a backslash for nothing", `url.path: a\b`, 12, "escapes nothing"},
		{"half a character", `user.id: "\uD83D"`, 11, "half of a character"},
		{"too deep", strings.Repeat("(", 200) + "level: a" + strings.Repeat(")", 200), 102, "deeper than 100"},
		{"columns count characters", `user.id: "日本" and x`, 19, `"x" without a field`},
		{"no field of the pattern takes it", "im.bytes.*: x", 13, "fits none of the 2 fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := kql.Parse(c.src)
			var e *kql.Error
			if !errors.As(err, &e) {
				t.Fatalf("%s: got %v", c.src, err)
			}
			if e.Column != c.column || !strings.Contains(e.Message, c.want) {
				t.Errorf("%s\n got %d: %s\nwant %d: %s", c.src, e.Column, e.Message, c.column, c.want)
			}
		})
	}
}

func TestParseReportsAllFaults(t *testing.T) {
	_, err := kql.Parse("client.ipp: 1 and status: abc and level: error and user: x")
	var all kql.Errors
	if !errors.As(err, &all) || len(all) != 3 {
		t.Fatalf("got %v, want three faults", err)
	}
	want := `character 1: unknown field "client.ipp"; the nearest is client.ip; character 27: http.response.status_code: found "abc", expected a number; character 52: unknown field "user"; the nearest is user.id`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const line = `{"@timestamp":"2026-11-21T10:00:00.123Z","event":{"action":"handshake_failure","category":["session","network"],"duration":120000000},"message":"Handshake failed: time-out after 3.5s","client":{"ip":"192.0.2.33"},"http":{"response":{"status_code":500}},"url":{"path":"/ws/connect"},"labels":{"team":"im","n":5},"im":{"close":{"clean":false}}}`

func TestParsedConditionsOnAnEvent(t *testing.T) {
	var e event.Event
	if err := event.Decode([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	for src, want := range map[string]bool{
		`status:500 AND path:"/ws/connect"`:                 true,
		`status:500 AND path:"/ws"`:                         false,
		`path: /ws*`:                                        true,
		`path: *con*ct`:                                     true,
		`event.action: Handshake_failure`:                   false,
		`event.category: session and event.category: net*`:  true,
		`message: (nothing or failed)`:                      true,
		`message: "handshake FAILED"`:                       true,
		`message: "failed handshake"`:                       false,
		`message: hand*`:                                    true,
		`message: "hand*"`:                                  false,
		`message: 3.*`:                                      true,
		`client.ip: 192.0.2.0/24`:                           true,
		`client.ip: 198.51.100.0/24`:                        false,
		`client.ip > 192.0.2.32 and client.ip < 192.0.2.34`: true,
		`not user.id: x`:                                    true,
		`user.id: *`:                                        false,
		`not user.id: *`:                                    true,
		`labels.team: im and labels.n: 5`:                   true,
		`im.close.clean: false`:                             true,
		`@timestamp: "2026-11-21"`:                          true,
		`@timestamp: "2026-11-21T10:00"`:                    true,
		`@timestamp: "2026-11-21T10:01"`:                    false,
		`@timestamp > "2026-11-21"`:                         false,
		`@timestamp >= "2026-11-21"`:                        true,
		`@timestamp <= "2026-11-21"`:                        true,
		`@timestamp < "2026-11-21"`:                         false,
		`@timestamp: "2026-11-21T10:00:00.123Z"`:            true,
		`@timestamp: "2026-11-21T18:00:00.123+08:00"`:       true,
		`event.duration >= 0.12 and event.duration < 1.2e8`: false,
		`event.*: handshake_failure`:                        true,
		`*: im`:                                             true, // of a label
		`labels.*: im`:                                      true,
		`labels.n*: 5`:                                      true,
		`labels.x*: im`:                                     false,
		`lab*m: *`:                                          true,
		`not labels.*: *`:                                   false,
		`stat*: 500`:                                        true, // by the short name
		`*: network`:                                        true,
	} {
		x, err := kql.Parse(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := filter.Compile(x)(&e); got != want {
			t.Errorf("%s: got %t, want %t", src, got, want)
		}
	}
}
