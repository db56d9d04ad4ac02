package date

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/shipper/parse/fault"
)

func TestParse(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		in, want string
		layouts  []string
	}{
		{in: "2026-11-21T10:00:00.123456789+08:00", want: "2026-11-21T02:00:00.123456789Z"},
		{in: "21/Nov/2026:10:00:00 -0100", want: "2026-11-21T11:00:00.000Z"},
		{in: "2026/11/21 - 10:00:00", want: "2026-11-21T02:00:00.000Z"},
		{in: "2026-11-21 10:00:00,250", want: "2026-11-21T02:00:00.250Z"},
		{in: "2026-11-21T10:00:00.250+0000", want: "2026-11-21T10:00:00.250Z"},
		{in: "Sat, 21 Nov 2026 10:00:00 GMT", want: "2026-11-21T10:00:00.000Z"},
		{in: "Dec  9 10:00:00", want: "2025-12-09T02:00:00.000Z"},
		{in: "Jan 10 10:00:00", want: "2026-01-10T02:00:00.000Z"},
		{in: "1763719200", want: "2025-11-21T10:00:00.000Z"},
		{in: "1763719200.1234567891", want: "2025-11-21T10:00:00.123456789Z"},
		{in: "1.763719200123e+09", want: "2025-11-21T10:00:00.123Z"},
		{in: "1763719200123", want: "2025-11-21T10:00:00.123Z"},
		{in: "1763719200123456", want: "2025-11-21T10:00:00.123456Z"},
		{in: "1763719200123456789", want: "2025-11-21T10:00:00.123456789Z"},
		{in: "17637192", layouts: []string{Seconds}, want: "1970-07-24T03:13:12.000Z"},
		{in: "-1.5", layouts: []string{Seconds}, want: "1969-12-31T23:59:58.500Z"},
		{in: "1500.25", layouts: []string{Millis}, want: "1970-01-01T00:00:01.500250Z"},
		{in: "1500", layouts: []string{Micros}, want: "1970-01-01T00:00:00.001500Z"},
		{in: "1500", layouts: []string{"2006-01-02", Nanos}, want: "1970-01-01T00:00:00.000001500Z"},
		{in: "21.11.2026 10:00", layouts: []string{"2006-01-02", "02.01.2006 15:04"}, want: "2026-11-21T02:00:00.000Z"},
		{in: "Feb 29 10:00:00", layouts: []string{time.Stamp}, want: "2024-02-29T02:00:00.000Z"},
		{in: "20261121"},
		{in: "yesterday"},
		{in: ""},
		{in: "-"},
		{in: "99999999999999999999"},
		{in: "1e400"},
		{in: "0001-01-01 00:00:00"},
		{in: "1763719200", layouts: []string{RFC3339}},
	} {
		p, err := New(Options{Layouts: tc.layouts, Location: shanghai, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time the layout is remembered
			got, err := p.Parse(tc.in)
			if tc.want == "" {
				if f, ok := errors.AsType[*fault.Error](err); !ok || f.Reason != "time" {
					t.Errorf("%q: %v, %v", tc.in, got, err)
				}
				continue
			}
			if text := event.FormatTime(got); err != nil || strings.TrimRight(text, "0Z") != strings.TrimRight(tc.want, "0Z") {
				t.Errorf("%q: got %s, want %s, %v", tc.in, text, tc.want, err)
			}
		}
	}
}

func TestLayoutsAreChecked(t *testing.T) {
	t.Parallel()
	for layout, want := range map[string]string{
		"%Y-%m-%d":  "strftime",
		"epoch_mss": `did you mean "epoch_ms"?`,
		"15:04:05":  "says no day",
		"rfc339":    `"rfc339" says no day; did you mean "rfc3339"?`,
		"yyyy":      "names no part of a date",
	} {
		if _, err := New(Options{Layouts: []string{layout}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", layout, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"2026-11-21T10:00:00Z", "1763719200.5", "Feb 29 10:00:00", "-1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		at, err := p.Parse(s)
		if err != nil {
			return
		}
		if v, ok := event.Parse(event.Date, event.FormatTime(at)); !ok || !v.Time().Equal(at) {
			t.Fatalf("%q became %s", s, event.FormatTime(at))
		}
	})
}
