package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/shipper/parse/date"
	"imwatch/shipper/parse/fault"
)

func dates(tb testing.TB) *date.Parser {
	tb.Helper()
	p, err := date.New(date.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// filled makes an event of a JSON line.
func filled(tb testing.TB, rest, line string, fields ...Field) (*event.Event, error) {
	tb.Helper()
	fields = append(fields, Field{To: "timestamp", From: Names{"ts"}}, Field{To: "event.action", Value: "connect"})
	m, err := New(Options{Fields: fields, Dates: dates(tb), Rest: rest})
	if err != nil {
		tb.Fatal(err)
	}
	var e event.Event
	if err := event.Walk(line, m.JSON); err != nil {
		tb.Fatal(err)
	}
	return &e, m.Fill(&e)
}

func TestConversions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		to, unit, in string // in is JSON
		want         string // JSON; "": a fault
	}{
		{"event.duration", "ms", `12.5`, `12500000`},
		{"event.duration", "", `"12.3ms"`, `12300000`},
		{"event.duration", "", `0.25`, `250000000`},
		{"event.duration", "", `"2 m 10 s"`, `130000000000`},
		{"event.duration", "go", `1234`, `1234`},
		{"event.duration", "go", `0.001`, `1000000`},
		{"event.duration", "h", `"1"`, `3600000000000`},
		{"event.duration", "", `-1`, ``},
		{"event.duration", "", `"soon"`, ``},
		{"im.heartbeat.rtt_ms", "", `1.5`, `1.5`},
		{"im.heartbeat.rtt_ms", "us", `1500`, `1.5`},
		{"im.connection.prev_life_ms", "s", `"2"`, `2000`},
		{"client.ip", "", `"192.0.2.1:8080"`, `"192.0.2.1"`},
		{"client.ip", "", `"[2001:db8::1]:443"`, `"2001:db8::1"`},
		{"client.ip", "", `"fe80::1%eth0"`, `"fe80::1"`},
		{"client.ip", "", `"192.0.2.1, 10.0.0.1"`, `"192.0.2.1"`},
		{"client.ip", "", `"nowhere"`, ``},
		{"client.port", "", `"192.0.2.1:8080"`, `8080`},
		{"client.port", "", `8080`, `8080`},
		{"http.response.status_code", "", `"503"`, `503`},
		{"http.response.status_code", "", `"OK"`, ``},
		{"http.version", "", `"HTTP/1.1"`, `"1.1"`},
		{"url.path", "", `"/a?token=b"`, `"/a"`},
		{"url.path", "", `"https://example.org/a/b?c"`, `"/a/b"`},
		{"log.level", "", `"WARNING"`, `"warn"`},
		{"log.level", "", `30`, `"info"`},
		{"log.level", "", `"E"`, `"error"`},
		{"log.level", "", `"odd"`, ``},
		{"im.session.resumed", "", `1`, `true`},
		{"im.session.resumed", "", `"No"`, `false`},
		{"im.session.resumed", "", `"perhaps"`, ``},
		{"trace.id", "", `"0AF76519-16cd-43dd-8448-eb211c80319c"`, `"0af7651916cd43dd8448eb211c80319c"`},
		{"trace.id", "", `"8448eb211c80319c"`, `"00000000000000008448eb211c80319c"`},
		{"trace.id", "", `"op-1"`, ``},
		{"span.id", "", `"b7ad6b7169203331"`, `"b7ad6b7169203331"`},
		{"im.close.reason", "", `"client_gone"`, `"client_gone"`},
		{"im.close.reason", "", `"EOF"`, ``},
		{"event.outcome", "", `"ok"`, ``},
		{"user.id", "", `10086`, `"10086"`},
		{"user.id", "", `"a\"b\u00e9"`, `"a\"bé"`},
		{"client.geo.location", "", `"1.5,2.5"`, `"1.5,2.5"`},
		{"client.geo.location", "", `"far"`, ``},
		{"tls.server.not_after", "", `"2026-11-21T10:00:00Z"`, `"2026-11-21T10:00:00Z"`},
	} {
		e, err := filled(t, "", `{"ts":"2026-11-21T10:00:00Z","x":`+tc.in+`}`, Field{To: tc.to, Unit: tc.unit, From: Names{"x"}})
		if tc.want == "" {
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Reason != "type" || !strings.Contains(f.Detail, tc.to+": found") {
				t.Errorf("%s of %s: %v", tc.to, tc.in, err)
			}
			continue
		}
		f, _ := event.FieldByName(tc.to)
		if got := string(e.AppendValue(nil, f.ID)); err != nil || got != tc.want {
			t.Errorf("%s of %s: got %s, want %s, %v", tc.to, tc.in, got, tc.want, err)
		}
	}
}

func TestTheFirstEntryWithAValueCounts(t *testing.T) {
	t.Parallel()
	fields := []Field{
		{To: "user.id", From: Names{"a", "b"}},
		{To: "user.id", From: Names{"c"}, When: Condition{"kind": {"x*", "y"}}},
		{To: "user.id", Value: "nobody", When: Condition{"status": {">= 500"}, "a": {"!*"}}},
		{To: "user.id", Value: "somebody"},
	}
	for line, want := range map[string]string{
		`"a":"1","b":"2"`:                `1`,
		`"a":"-","b":"2"`:                `2`,
		`"a":null,"b":""`:                `somebody`,
		`"c":"3"`:                        `somebody`,
		`"c":"3","kind":"Xylo"`:          `3`,
		`"c":"3","kind":"y"`:             `3`,
		`"c":"3","kind":"yy"`:            `somebody`,
		`"status":503`:                   `nobody`,
		`"status":"499"`:                 `somebody`,
		`"status":"many"`:                `somebody`,
		`"a":"1","status":503`:           `1`,
		`"a":"1","a":"2"`:                `2`,
		`"n":{"deep":1},"kind":["x"]`:    `somebody`,
		`"status":503,"unknown":[1,2,3]`: `nobody`,
	} {
		e, err := filled(t, "", `{"ts":"2026-11-21T10:00:00Z",`+line+`}`, fields...)
		if got := e.Text(event.FieldUserID); err != nil || got != want {
			t.Errorf("%s: got %s, want %s, %v", line, got, want, err)
		}
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	f := Field{To: "im.close.reason", From: Names{"r"}, Map: map[string]string{"EOF": "client_gone", "ok": "", "*": "server_error"}}
	for in, want := range map[string]string{"eof": "client_gone", "OK": "", "else": "server_error"} {
		e, err := filled(t, "", `{"ts":"2026-11-21T10:00:00Z","r":"`+in+`"}`, f)
		if got := e.Text(event.FieldCloseReason); err != nil || got != want {
			t.Errorf("%s: got %q, %v", in, got, err)
		}
	}
}

func TestWhatNoEntryTakes(t *testing.T) {
	t.Parallel()
	line := `{"ts":"2026-11-21T10:00:00Z","status":500,"level":"odd","a":{"b":1},"a.b":"last","list":[1,"x"],"none":null}`
	level := Field{To: "log.level", From: Names{"level"}, Bad: Label, When: Condition{"status": {"*"}}} // what is only looked at is not taken
	for rest, want := range map[string]string{
		"":     `"labels.level":"odd","foreign.a.b":"last","foreign.list":[1,"x"],"foreign.status":500}`,
		Labels: `"labels.level":"odd","labels.a_b":"last","labels.list":"[1,\"x\"]","labels.status":"500"}`,
		Drop:   `"labels.level":"odd"}`,
	} {
		e, err := filled(t, rest, line, level)
		if got := string(e.AppendJSON(nil)); err != nil || !strings.HasSuffix(got, `"message":"connection opened",`+want) {
			t.Errorf("%q: %s, %v", rest, got, err)
		}
		var again event.Event
		if err := event.Decode(e.AppendJSON(nil), &again); err != nil {
			t.Error(err)
		}
	}
}

// A source whose names have no end cannot fill the index mapping.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m, err := New(Options{Fields: []Field{{To: "timestamp", From: Names{"ts"}}, {To: "event.action", Value: "connect"}}, Dates: dates(t), Rest: Labels})
	if err != nil {
		t.Fatal(err)
	}
	labels, foreign := map[string]bool{}, 0
	for i := range 3 * maxLabels {
		m.Reset()
		var e event.Event
		err := event.Walk(fmt.Sprintf(`{"ts":"2026-11-21T10:00:00Z","first":1,"k%d":"v"}`, i), m.JSON)
		if err != nil || m.Fill(&e) != nil {
			t.Fatal(err)
		}
		for _, x := range e.Extras() {
			if strings.HasPrefix(x.Name, "labels.") {
				labels[x.Name] = true
			} else {
				foreign++
			}
		}
	}
	if len(labels) != maxLabels || foreign != 2*maxLabels+1 || !labels["labels.first"] {
		t.Errorf("%d labels, %d others", len(labels), foreign)
	}
}

// Elasticsearch refuses documents in which a step of a name is blank.
func TestNamesThatNoIndexTakes(t *testing.T) {
	t.Parallel()
	e, err := filled(t, "", `{"ts":"2026-11-21T10:00:00Z","":1,"a..b":2," ":3,"c":{" ":4,"d.":5},".e":6,"f":7,"g h":8}`)
	want := `"foreign._":3,"foreign._.e":6,"foreign.a._.b":2,"foreign.c._":4,"foreign.c.d._":5,"foreign.f":7,"foreign.g h":8}`
	if got := string(e.AppendJSON(nil)); err != nil || !strings.HasSuffix(got, want) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	ts := Field{To: "timestamp", From: Names{"ts"}, Unit: "ms"}
	m, err := New(Options{Dates: dates(t), Rest: Drop, Ignore: []Condition{{"debug": {"true"}}}, Fields: []Field{
		ts,
		{To: "event.action", From: Names{"ev"}, Map: map[string]string{"bye": "disconnect"}},
		{To: "im.close.code", From: Names{"code"}},
		{To: "event.duration", Unit: "s", From: Names{"life"}},
		{To: "log.level", From: Names{"lvl"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		`{"ts":1763719200123,"ev":"bye","code":1000}`:                      "disconnect normal client success info",
		`{"ts":1763719200123,"ev":"bye","code":1006,"life":100}`:           "disconnect client_gone network failure warn",
		`{"ts":1763719200123,"ev":"bye","code":4002,"lvl":"error"}`:        "disconnect heartbeat_timeout server failure error",
		`{"ts":1763719200123,"ev":"bye","code":1000,"life":3}`:             "disconnect normal client success warn",
		`{"ts":1763719200123,"ev":"bye"}`:                                  "disconnect   success info",
		`{"ts":1763719200123,"ev":"connect"}`:                              "connect   success info",
		`{"ts":1763719200123,"ev":"conect"}`:                               "action",
		`{"ts":1763719200123,"ev":"watermark"}`:                            "action",
		`{"ts":1763719200123}`:                                             "action",
		`{"ts":"soon","ev":"connect"}`:                                     "time",
		`{"ev":"connect"}`:                                                 "missing",
		`{"ts":1763719200123,"ev":"connect","life":"long"}`:                "type",
		`{"ts":1763719200123,"ev":"connect","debug":true}`:                 "ignored",
		`{"ts":1763719200123,"ev":"connect","debug":"no","life":"1h0m0s"}`: "connect   success info",
	} {
		m.Reset()
		if err := event.Walk(line, m.JSON); err != nil {
			t.Fatal(err)
		}
		var e event.Event
		var got string
		if m.Ignored() {
			got = "ignored"
		} else if err := m.Fill(&e); err != nil {
			f, _ := errors.AsType[*fault.Error](err)
			got = f.Reason
		} else {
			got = strings.Join([]string{e.Action(), e.Text(event.FieldCloseReason), e.Text(event.FieldCloseInitiator), e.Text(event.FieldEventOutcome), e.Text(event.FieldLogLevel)}, " ")
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestFaultsAreAllNamed(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Dates: dates(t), Rest: "burn", Names: []string{"ts", "status", "user"}, Ignore: []Condition{{"statu": {"x"}}}, Fields: []Field{
		{To: "clientip", From: Names{"ts"}},
		{To: "user.id"},
		{To: "user.id", From: Names{"usr"}},
		{To: "user.id", From: Names{"user"}, Unit: "ms"},
		{To: "event.duration", From: Names{"user"}, Unit: "fortnight"},
		{To: "timestamp", From: Names{"ts"}, Unit: "h"},
		{To: "event.action", Value: "conect"},
		{To: "log.level", From: Names{"status"}, Map: map[string]string{"1": "loud", "a": "info", "A": "warn"}},
		{To: "log.offset", Value: "1"},
		{To: "user.id", From: Names{"user"}, Bad: "explode"},
		{To: "user.id", From: Names{"user"}, When: Condition{"status": {"> many"}}},
		{To: "", From: Names{"user"}},
		{To: "im.alert.id", From: Names{"user"}},
	}})
	if err == nil {
		t.Fatal("taken")
	}
	want := `rest: found "burn", allowed are keep, labels and drop
fields[0]: to: "clientip" is no field of the contract; did you mean "client.ip"?
fields[1]: user.id: from or value is needed
fields[2]: "usr" is not in the pattern; did you mean "user"?
fields[3]: unit: user.id is no duration
fields[4]: unit: found "fortnight", allowed are ns, us, ms, s, m, h, go
fields[5]: unit: found "h", allowed for instants are ns, us, ms and s
fields[6]: found "conect", expected an action of the contract; the nearest is connect
fields[7]: map.1: found "loud", expected one of trace, debug, info, warn, error, fatal
fields[7]: map: "A" is given twice, case apart
fields[8]: to: log.offset is the pipeline's own
fields[9]: bad: found "explode", allowed are refuse, label and skip
fields[10]: when: status: found "> many", expected a number after >
fields[11]: to: a field is needed
fields[12]: to: im.alert.id is the pipeline's own
ignore[0]: "statu" is not in the pattern; did you mean "status"?`
	got := strings.Replace(err.Error(), `map: "a" is`, `map: "A" is`, 1) // which of the two is seen first is open
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Whatever a line holds, it is an event that can be read again or a fault.
func FuzzFill(f *testing.F) {
	f.Add(`{"ts":1763719200123,"ev":"bye","code":1000,"x":{"y":[1]}}`)
	p, err := date.New(date.Options{})
	if err != nil {
		f.Fatal(err)
	}
	var fields []Field
	for _, x := range event.Fields() {
		if x.Group == event.Base || x.Group == event.Optional {
			fields = append(fields, Field{To: x.Name, From: Names{x.Name}, Bad: Label})
		}
	}
	fields = append(fields, Field{To: "timestamp", From: Names{"ts"}}, Field{To: "event.action", Value: "connect"})
	var ms []*Mapping
	for _, rest := range []string{Keep, Labels, Drop} {
		usable := fields[:0:0]
		for _, x := range fields {
			if x.To != "log.file.path" && x.To != "log.offset" {
				usable = append(usable, x)
			}
		}
		m, err := New(Options{Fields: usable, Dates: p, Rest: rest})
		if err != nil {
			f.Fatal(err)
		}
		ms = append(ms, m)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, m := range ms {
			m.Reset()
			var e, again event.Event
			if event.Walk(line, m.JSON) != nil || m.Fill(&e) != nil {
				continue
			}
			if rec := e.AppendJSON(nil); event.Decode(rec, &again) != nil && len(rec) <= event.MaxLine {
				t.Fatalf("%v in %s", event.Decode(rec, &again), rec)
			}
		}
	})
}
