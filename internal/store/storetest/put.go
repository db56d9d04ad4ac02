package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"imwatch/event"
	"imwatch/internal/store"
)

func testPut(t *testing.T, s *suite) {
	t.Helper()
	t.Run("outcomes", func(t *testing.T) { testOutcomes(t, s) })
	t.Run("unfit", func(t *testing.T) { testUnfit(t, s) })
	t.Run("other bodies", func(t *testing.T) { testBodies(t, s) })
	t.Run("caller's memory", func(t *testing.T) { testOwnership(t, s) })
}

func testOutcomes(t *testing.T, s *suite) {
	t.Helper()
	a, b := docOf(s.index("a"), eventAt("1", base())), docOf(s.index("b"), eventAt("1", base()))
	s.put(t, a, b) // the same id in another index is another document
	again := raw(s.index("a"), "1", `{"@timestamp":"2026-11-21T08:30:00.000Z","user":{"id":"other"}}`)
	bad := raw(s.index("a"), "2", `{"@timestamp":"2026-11-21T08:30:00.000Z","client":{"ip":"nowhere"}}`)
	fresh := docOf(s.index("a"), eventAt("3", base()))
	twice := docOf(s.index("a"), eventAt("3", base()))
	results := s.results(t, again, bad, fresh, twice)
	want := []store.Outcome{store.Existed, store.Rejected, store.Stored, store.Existed}
	for i, r := range results {
		if r.Outcome != want[i] {
			t.Errorf("result %d: %v (%s), want %v", i, r.Outcome, r.Reason, want[i])
		}
	}
	if !strings.Contains(results[1].Reason, "client.ip") {
		t.Errorf("reason %q does not name the field client.ip", results[1].Reason)
	}
	body, _, err := s.Get(t.Context(), s.index("a"), "1")
	if err != nil || string(body) != string(a.Body) {
		t.Errorf("Get gave %s, %v; a document that existed must not change: %s", body, err, a.Body)
	}
	s.refresh(t)
	s.expect(t, store.Query{Indices: s.index("a")}, "1", "3")
	if results := s.results(t); len(results) != 0 {
		t.Errorf("Put of nothing gave %v", results)
	}
}

func testUnfit(t *testing.T, s *suite) {
	t.Helper()
	const at = `{"@timestamp":"2026-11-21T08:30:00.000Z",`
	for name, d := range map[string]store.Doc{
		"address":         raw(s.index("u"), "1", at+`"client":{"ip":"300.1.1.1"}}`),
		"number":          raw(s.index("u"), "1", at+`"http":{"response":{"status_code":"many"}}}`),
		"boolean":         raw(s.index("u"), "1", at+`"im":{"close":{"clean":"maybe"}}}`),
		"date":            raw(s.index("u"), "1", `{"@timestamp":"yesterday"}`),
		"place":           raw(s.index("u"), "1", at+`"client":{"geo":{"location":{"lat":91,"lon":0}}}}`),
		"object":          raw(s.index("u"), "1", at+`"client":"192.0.2.1"}`),
		"alias":           raw(s.index("u"), "1", at+`"level":"error"}`),
		"below an alias":  raw(s.index("u"), "1", at+`"path":{"a":1}}`),
		"not JSON":        raw(s.index("u"), "1", `{"@timestamp":`),
		"two objects":     raw(s.index("u"), "1", at+`"a":1}{}`),
		"empty body":      raw(s.index("u"), "1", ""),
		"list":            raw(s.index("u"), "1", `[1]`),
		"no id":           raw(s.index("u"), "", `{}`),
		"long id":         raw(s.index("u"), strings.Repeat("i", 513), `{}`),
		"no index":        raw("", "1", `{}`),
		"upper-case name": raw("im-Connection", "1", `{}`),
		"path as a name":  raw("../im-connection", "1", `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			good := docOf(s.index("u"), eventAt("good-"+strings.ReplaceAll(name, " ", "-"), base()))
			results := s.results(t, d, good)
			if results[0].Outcome != store.Rejected || results[0].Reason == "" {
				t.Errorf("outcome %v, reason %q, want rejected with a reason", results[0].Outcome, results[0].Reason)
			}
			if results[1].Outcome != store.Stored {
				t.Errorf("its neighbour: %v, %s", results[1].Outcome, results[1].Reason)
			}
			if _, err := s.Swap(t.Context(), d, ""); !errors.Is(err, store.ErrRejected) {
				t.Errorf("Swap: %v, want ErrRejected", err)
			}
		})
	}
}

// testBodies puts what is no event: without a time, over many lines, larger than an event.
func testBodies(t *testing.T, s *suite) {
	t.Helper()
	index := "im-deadletter-" + s.run + "-x"
	original := strings.Repeat("x", 2*event.MaxLine)
	s.put(t,
		raw(index, "timeless", `{"event":{"reason":"json"}}`),
		raw(index, "lines", "{\n  \"@timestamp\": \"2026-11-21T08:30:00Z\",\r\n  \"event\": {\"reason\": \"json\"}\n}\n"),
		raw(index, "large", fmt.Sprintf(`{"@timestamp":"2026-11-21T08:31:00Z","original":%q,"event":{"reason":"json"}}`, original)),
		raw(index, "é/ ?#%", `{"@timestamp":"2026-11-21T08:32:00Z","unknown":{"a":[1,{"b":null}]}}`))
	s.expect(t, store.Query{Indices: index}, "lines", "large", "é/ ?#%", "timeless")
	s.expect(t, store.Query{Indices: index, From: base()}, "lines", "large", "é/ ?#%")
	s.expect(t, store.Query{Indices: index, Where: keyword("event.reason", "json")}, "lines", "large", "timeless")
	body, _, err := s.Get(t.Context(), index, "é/ ?#%")
	if err != nil || !strings.Contains(string(body), `"b":null`) {
		t.Errorf("Get gave %s, %v", body, err)
	}
}

func testOwnership(t *testing.T, s *suite) {
	t.Helper()
	d := docOf(s.index("own"), eventAt("1", base()))
	want := string(d.Body)
	s.put(t, d)
	clear(d.Body)
	var bodies [][]byte
	for range 2 {
		for h, err := range s.Search(t.Context(), store.Query{Indices: s.index("own")}) {
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, h.Body)
		}
		clear(bodies[0])
	}
	if string(bodies[1]) != want {
		t.Errorf("found %s, want %s", bodies[1], want)
	}
}
