package parse

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
	"imwatch/shipper/parse/redact"
)

// country knows one country for all.
type country struct{}

func (country) Adds() []event.FieldID {
	return []event.FieldID{event.FieldClientGeoCountry, event.FieldClientASNumber}
}

func (country) Enrich(e *event.Event) {
	if e.Has(event.FieldClientIP) && !e.Has(event.FieldClientGeoCountry) {
		e.SetText(event.FieldClientGeoCountry, "CN")
	}
}

// half keeps what is not u1, for two.
type half struct{}

func (half) Keep(e *event.Event) bool {
	if e.Text(event.FieldUserID) == "u1" {
		return false
	}
	if e.Text(event.FieldUserID) == "u2" {
		e.SetFloat(event.FieldSampleWeight, 2*e.Weight())
	}
	return true
}

func staged(tb testing.TB) Stages {
	tb.Helper()
	r, err := redact.New(redact.DefaultConfig(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return Stages{Enrich: []Enricher{country{}}, Sample: half{}, Redact: r}
}

// A contract line stays as it was written as long as nothing in it has to change; what is added stands at its end.
func TestContractLinesThroughTheStages(t *testing.T) {
	t.Parallel()
	p, err := New(Options{Format: FormatContract, Stages: staged(t)})
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"@timestamp":"2026-11-21T10:00:00Z","event":{"id":"a","dataset":"im.http","kind":"event","action":"http_request"},"log":{"level":"info"},"ecs":{"version":"8.17.0"}`
	const origin = `,"log.file.path":"/log/a.log","log.offset":42`
	for in, want := range map[string]string{
		``:                         head + origin + `}`,
		`,"user.id":"u1"`:          "sampled",
		`,"user":{"id":"u3"}`:      head + `,"user":{"id":"u3"}` + origin + `}`,
		`,"user.id":"u2"`:          head + `,"user.id":"u2"` + origin + `,"im.sample.weight":2}`,
		`,"client.ip":"192.0.2.1"`: head + `,"client.ip":"192.0.2.1"` + origin + `,"client.geo.country_iso_code":"CN"}`,
		`,"client":{"ip":"192.0.2.1","geo":{"country_iso_code":"DE"}}`: head + `,"client":{"ip":"192.0.2.1","geo":{"country_iso_code":"DE"}}` + origin + `}`,
		`,"user.id":"u2","im":{"sample":{"weight":10}}`:                `{"@timestamp":"2026-11-21T10:00:00Z","ecs":{"version":"8.17.0"},"event":{"id":"a","dataset":"im.http","kind":"event","action":"http_request"},"log":{"level":"info","file":{"path":"/log/a.log"},"offset":42},"user":{"id":"u2"},"im":{"sample":{"weight":20}}}`,
		`,"url.path":"/ws?token=x","labels.a":"b"`:                     `{"@timestamp":"2026-11-21T10:00:00Z","ecs":{"version":"8.17.0"},"event":{"id":"a","dataset":"im.http","kind":"event","action":"http_request"},"log":{"level":"info","file":{"path":"/log/a.log"},"offset":42},"url":{"path":"/ws?token=***"},"labels.a":"b"}`,
	} {
		var e, again event.Event
		got, err := p.Parse(nil, &e, head+in+"}", Origin{File: "/log/a.log", Offset: 42, Generation: "g"})
		if errors.Is(err, ErrSampled) {
			if got = []byte("sampled"); e.Time().IsZero() {
				t.Error("a sampled line must tell its time")
			}
		} else if err != nil || !json.Valid(got) || event.Decode(got, &again) != nil || again.Weight() != e.Weight() {
			t.Errorf("%s, %v", got, err)
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

func TestForeignLinesThroughTheStages(t *testing.T) {
	t.Parallel()
	p, err := New(Options{Format: "im-json", Stages: staged(t), WithoutAction: Ignore})
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	got, err := p.Parse(nil, &e, `{"time":"2026-11-21T10:00:00Z","msg":"user online, token=abc","userId":"u2","client_ip":"192.0.2.1","password":"x"}`, Origin{File: "f"})
	for _, want := range []string{`"message":"user online, token=***"`, `"country_iso_code":"CN"`, `"weight":2`} {
		if err != nil || !strings.Contains(string(got), want) || strings.Contains(string(got), "password") {
			t.Errorf("%s is not in %s, %v", want, got, err)
		}
	}
	if _, err := p.Parse(nil, &e, `{"time":"2026-11-21T10:00:00Z","msg":"user online","userId":"u1"}`, Origin{}); !errors.Is(err, ErrSampled) || e.Time().IsZero() {
		t.Errorf("got %v", err)
	}
	if _, err := p.Parse(nil, &e, `{"time":"2026-11-21T10:00:00Z","msg":"cache warmed"}`, Origin{}); !errors.Is(err, ErrIgnored) {
		t.Errorf("got %v", err)
	}
}

// Faults of times and of fields are told at once.
func TestAllFaultsAreTold(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Format: FormatJSON, Layouts: []string{"rfc339"}, Fields: []mapping.Field{
		{To: "timestamp", From: mapping.Names{"ts"}},
		{To: "event.action", From: mapping.Names{"ev"}},
		{To: "user.idd", From: mapping.Names{"uid"}},
		{To: "event.duration", From: mapping.Names{"cost"}, Unit: "msec"},
	}})
	for _, want := range []string{"time_layouts: ", "user.idd", "msec"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not told: %v", want, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Format: "ginn"}, `format: found "ginn", allowed are contract, json, grok, dissect, auto, gin, gin-json, nginx, nginx-json, envoy, envoy-json, im-json, syslog; did you mean "gin"?`},
		{Options{Format: FormatContract, Rest: "drop", Layouts: []string{"x"}}, "time_layouts: contract lines are passed on as they are and have none; use format json to map\nrest: contract"},
		{Options{Format: FormatJSON, Patterns: []string{"x"}}, "pattern: JSON has none"},
		{Options{Format: FormatJSON}, "fields: nothing goes to timestamp"},
		{Options{Format: FormatDissect}, "pattern: format dissect needs one"},
		{Options{Format: FormatDissect, Patterns: []string{"%{timestamp} %{what}", "%{timestamp"}}, "pattern[1]: byte 2: the field is not ended by }"},
		{Options{Format: FormatDissect, Patterns: []string{"%{timestamp} %{client.ipp}"}}, `pattern: "client.ipp" is no field of the contract (did you mean client.ip?), nor labels.NAME`},
		{Options{Format: "auto", Patterns: []string{"x"}}, "pattern: format auto has its own"},
		{Options{Format: "auto", Layouts: []string{"%Y"}}, "time_layouts: "},
		{Options{Format: "gin", WithoutAction: "burn"}, `without_action: found "burn"`},
	} {
		if _, err := New(tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.o, err)
		}
	}
}

// A field under an alias, and some other names, would make a document that no index takes.
func TestNamesThatNoIndexTakes(t *testing.T) {
	t.Parallel()
	p := &Contract{defaults: Defaults{}}
	const head, tail = `{"@timestamp":"2026-11-21T10:00:00Z","event":{"id":"a","dataset":"im.http","kind":"event","action":"http_request"},"ecs":{"version":"8.17.0"}`, `,"log.file.path":"f","log.offset":1}`
	const begin = `{"@timestamp":"2026-11-21T10:00:00Z","ecs":{"version":"8.17.0"},"event":{"id":"a","dataset":"im.http","kind":"event","action":"http_request"},"log":{`
	const end = `"file":{"path":"f"},"offset":1}`
	for in, want := range map[string]string{
		`,"status":500,"level":"ERROR","path":"/ws","client_ip":"192.0.2.1"`: begin + `"level":"error",` + end + `,"client":{"ip":"192.0.2.1"},"http":{"response":{"status_code":500}},"url":{"path":"/ws"}}`,
		`,"log":{"level":"warn"},"level":"error","status":"bad","other":1`:   begin + `"level":"warn",` + end + `,"other":1,"foreign.level":"error","foreign.status":"bad"}`,
		`,"log":{"level":"warn"},"status":{"code":5},"path":["/a","/b"]`:     begin + `"level":"warn",` + end + `,"foreign.status.code":5,"foreign.path":["/a","/b"]}`,
		`,"log":{"level":"warn"},"":1,"a":{" ":2},"_id":"x","b.":3`:          begin + `"level":"warn",` + end + `,"foreign._":1,"foreign.a._":2,"foreign._id":"x","foreign.b._":3}`,
		`,"log":{"level":"warn"},"status":null,"message":"x"`:                begin + `"level":"warn",` + end + `,"message":"x"}`,
		`,"log":{"level":"warn"},"other":null,"message":"null"`:              head + `,"log":{"level":"warn"},"other":null,"message":"null"` + tail,
		`,"log":{"level":"warn"},"statuses":1`:                               head + `,"log":{"level":"warn"},"statuses":1` + tail,
	} {
		var e, again event.Event
		got, err := p.Parse(nil, &e, head+in+"}", Origin{File: "f", Offset: 1})
		if err != nil || event.Decode(got, &again) != nil {
			t.Errorf("%s, %v", got, err)
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("%s: %s", in, d)
		}
		for name := range event.Aliases() {
			if _, ok := aliased(name); !ok {
				t.Errorf("%s is an alias, too", name)
			}
		}
	}
}

// Text may end in an object of JSON, as the console encoder of zap writes it.
func TestJSONInText(t *testing.T) {
	t.Parallel()
	p, err := New(Options{Format: FormatDissect, Patterns: []string{"%{timestamp}\t%{log.level}\t%{?caller}\t%{message}\t%{json}", "%{timestamp}\t%{log.level}\t%{?caller}\t%{message}"}, Fields: imJSON()})
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if _, err := p.Parse(nil, &e, "2026-11-21 10:00:00.123\tDEBUG\tmsggateway/ws_server.go:271\tregisterClient\t{\"userID\": \"u-1\", \"platformID\": 2, \"extra\": [1]}", Origin{}); err != nil {
		t.Fatal(err)
	}
	got := []string{e.Action(), e.Text(event.FieldUserID), e.Text(event.FieldPlatform), e.Text(event.FieldLogLevel), e.Text(event.FieldMessage)}
	if d := cmp.Diff([]string{"connect", "u-1", "android", "debug", "registerClient"}, got); d != "" {
		t.Error(d)
	}
}
