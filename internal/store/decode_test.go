package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
)

func TestDecodeDoc(t *testing.T) {
	long := strings.Repeat("x", 2*event.MaxLine)
	many := strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("y", 4000)+`",`, 40), ",")
	for name, c := range map[string]struct{ body, time, reason string }{
		"event":     {`{"@timestamp":"2026-11-21T08:30:00Z","event":{"reason":"r"}}`, "2026-11-21T08:30:00Z", "r"},
		"timeless":  {`{"event":{"reason":"r"}}`, "", "r"},
		"large":     {fmt.Sprintf(`{"@timestamp":"2026-11-21T08:30:00Z","event":{"reason":"r","original":%q},"l":[%q,1],"n":12345678901234567890}`, long, long), "2026-11-21T08:30:00Z", "r"},
		"too large": {fmt.Sprintf(`{"@timestamp":"2026-11-21T08:30:00Z","event":{"reason":"r"},"many":[%s]}`, many), "2026-11-21T08:30:00Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var e event.Event
			if err := DecodeDoc([]byte(c.body), &e); err != nil {
				t.Fatal(err)
			}
			if e.Text(event.FieldTimestamp) != c.time || e.Text(event.FieldEventReason) != c.reason {
				t.Errorf("time %q, reason %q", e.Text(event.FieldTimestamp), e.Text(event.FieldEventReason))
			}
		})
	}
	for _, body := range []string{``, `[]`, `{"client":{"ip":"x"}}`, `{"a":"` + long, `{"a":"` + long + `"}{}`, `{"client":{"ip":1},"a":"` + long + `"}`} {
		var e event.Event
		if err := DecodeDoc([]byte(body), &e); err == nil {
			t.Errorf("%.40s… of %d bytes was taken", body, len(body))
		}
	}
}

// FuzzDecodeDoc wants of any body: no panic, and what event.Decode takes is read just so.
func FuzzDecodeDoc(f *testing.F) {
	f.Add([]byte(`{"@timestamp":"2026-11-21T08:30:00Z","event":{"reason":"r"}}`))
	f.Add([]byte(`{"a":"` + strings.Repeat("x", event.MaxLine) + `","b":[{"c":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var e, same event.Event
		err := DecodeDoc(body, &e)
		if event.Decode(body, &same) == nil && (err != nil || string(e.AppendJSON(nil)) != string(same.AppendJSON(nil))) {
			t.Errorf("read as %s, %v", e.AppendJSON(nil), err)
		}
		if err == nil && len(body) > event.MaxLine && !json.Valid(body) {
			t.Error("taken, and not JSON")
		}
	})
}

func TestMatch(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 30, 0, 1, time.UTC)
	var e, timeless event.Event
	e.SetTime(event.FieldTimestamp, at)
	e.SetTime(event.FieldEventIngested, at.Add(1))
	for name, c := range map[string]struct {
		q              Query
		want, wantLess bool
	}{
		"all":          {Query{}, true, true},
		"from":         {Query{From: at}, true, false},
		"after":        {Query{From: at.Add(1)}, false, false},
		"to":           {Query{To: at}, false, false},
		"to after":     {Query{To: at.Add(1)}, true, false},
		"ingested":     {Query{IngestedFrom: at.Add(1)}, true, false},
		"not ingested": {Query{IngestedFrom: at.Add(2)}, false, false},
		"where":        {Query{Where: filter.None{}}, false, false},
		"time, all":    {Query{From: at, Where: filter.All{}}, true, false},
	} {
		match := c.q.Match()
		if got, less := match(&e), match(&timeless); got != c.want || less != c.wantLess {
			t.Errorf("%s: %v, %v, want %v, %v", name, got, less, c.want, c.wantLess)
		}
	}
}
