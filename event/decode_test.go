package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imwatch/event"
)

func decode(t *testing.T, line string) *event.Event {
	t.Helper()
	var e event.Event
	if err := event.Decode([]byte(line), &e); err != nil {
		t.Fatalf("decoding %s: %v", line, err)
	}
	return &e
}

const at = `"@timestamp":"2026-11-21T10:00:00Z"`

func TestDecodeReadsNestedDottedAndBoth(t *testing.T) {
	for _, line := range []string{
		`{` + at + `,"http":{"response":{"status_code":401}},"event":{"action":"connect"}}`,
		`{` + at + `,"http.response.status_code":401,"event.action":"connect"}`,
		`{` + at + `,"http":{"response.status_code":401},"event.action":"connect"}`,
		`{` + at + `,"http.response":{"status_code":"401"},"event":{"action":["connect"]}}`,
	} {
		e := decode(t, line)
		if e.Int(event.FieldHTTPStatus) != 401 || e.Action() != "connect" {
			t.Errorf("%s: status %d, action %q", line, e.Int(event.FieldHTTPStatus), e.Action())
		}
	}
}

func TestDecodeTypes(t *testing.T) {
	e := decode(t, `{"@timestamp":"2026-11-21T18:00:00.123456789+08:00","event":{"duration":1.5e3,"category":["session","network"],"reason":null,"type":[]},
		"client":{"ip":"2001:db8::1","geo":{"location":[2.5,48.5]}},"im":{"close":{"clean":true},"sample":{"weight":12},"heartbeat":{"rtt_ms":0.5}},
		"message":"quote \" and \u00e9 \ud83d\ude00","labels":{"team":"im","n":5},"foreign":{"deep":{"x":[1]}}}`)
	if want := time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC); !e.Time().Equal(want) {
		t.Errorf("time %v, want %v", e.Time(), want)
	}
	if got := e.Int(event.FieldEventDuration); got != 1500 {
		t.Errorf("duration %d", got)
	}
	if e.Has(event.FieldEventReason) || e.Has(event.FieldEventType) {
		t.Error("null and [] must be as if absent")
	}
	if v, _ := e.Get(event.FieldEventCategory); len(v.List) != 2 || v.List[1].Text != "network" {
		t.Errorf("category %+v", v)
	}
	v, _ := e.Get(event.FieldClientGeoLocation)
	if lat, lon, ok := v.Point(); !ok || lat != 48.5 || lon != 2.5 {
		t.Errorf("location %v %v %v", lat, lon, ok)
	}
	if e.Weight() != 12 {
		t.Errorf("weight %v", e.Weight())
	}
	if got := e.Text(event.FieldMessage); got != "quote \" and é 😀" {
		t.Errorf("message %q", got)
	}
	for name, want := range map[string]string{"labels.team": "im", "labels.n": "5"} {
		if v, ok := e.Lookup(name); !ok || v.Text != want {
			t.Errorf("%s = %+v, %v", name, v, ok)
		}
	}
	if ex := e.Extras(); len(ex) != 3 || ex[2].Name != "foreign.deep.x" || ex[2].Raw != "[1]" {
		t.Errorf("extras %+v", ex)
	}
}

func TestDecodeFaults(t *testing.T) {
	for name, c := range map[string]struct{ line, reason, part string }{
		"not an object":       {`[1]`, "json", "expected '{'"},
		"empty":               {``, "json", "the end of the line"},
		"cut":                 {`{` + at + `,"mess`, "json", "does not end"},
		"two objects":         {`{` + at + `}{}`, "json", "only one JSON object"},
		"bad literal":         {`{` + at + `,"x":tru}`, "json", "expected true"},
		"leading zero":        {`{` + at + `,"x":01}`, "json", "expected ',' or '}'"},
		"bad escape":          {`{` + at + `,"message":"\q"}`, "json", `unknown escape \q`},
		"lone surrogate":      {`{` + at + `,"message":"\ud800"}`, "json", "surrogate"},
		"control character":   {"{" + at + ",\"message\":\"a\tb\"}", "json", "control character 0x09"},
		"invalid UTF-8":       {"{" + at + ",\"message\":\"\xff\"}", "utf8", "UTF-8"},
		"no timestamp":        {`{"message":"x"}`, "missing", "@timestamp"},
		"timestamp no date":   {`{"@timestamp":"yesterday"}`, "type", "RFC 3339"},
		"timestamp a number":  {`{"@timestamp":17}`, "type", "RFC 3339"},
		"30 February":         {`{"@timestamp":"2026-02-30T00:00:00Z"}`, "type", "RFC 3339"},
		"text for a number":   {`{` + at + `,"http":{"response":{"status_code":"abc"}}}`, "type", "http.response.status_code: found \"abc\", expected an integer"},
		"no address":          {`{` + at + `,"client.ip":"1.2.3"}`, "type", "client.ip: found \"1.2.3\", expected an IP address"},
		"object for a scalar": {`{` + at + `,"message":{"a":1}}`, "type", "message: found an object, expected a string"},
		"scalar for object":   {`{` + at + `,"http":5}`, "type", "http: found '5', expected an object"},
		"twice":               {`{` + at + `,"event.id":"a","event":{"id":"b"}}`, "duplicate", "event.id: given twice"},
		"too deep":            {`{` + at + `,"x":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`, "json", "nested deeper"},
		"too large":           {`{` + at + `,"message":"` + strings.Repeat("x", event.MaxLine) + `"}`, "too_large", "at most 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			var e event.Event
			err := event.Decode([]byte(c.line), &e)
			var de *event.DecodeError
			if !errors.As(err, &de) {
				t.Fatalf("got %v, want a DecodeError", err)
			}
			if de.Reason != c.reason || !strings.Contains(err.Error(), c.part) {
				t.Errorf("got %s: %v, want %s with %q", de.Reason, err, c.reason, c.part)
			}
		})
	}
}

// A decoder that was used before must not remember anything.
func TestDecodeForgetsTheLineBefore(t *testing.T) {
	var e event.Event
	for _, line := range []string{disconnectLine, `{` + at + `}`} {
		if err := event.Decode([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(e.AppendJSON(nil)); got != `{`+at+`}` {
		t.Errorf("got %s", got)
	}
}
