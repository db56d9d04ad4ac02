package oncall

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func shanghai(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func calendar(events ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:China Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0800\r\nTZOFFSETTO:+0800\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" +
		"BEGIN:VEVENT\r\n" + strings.Join(events, "\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func people() []Person {
	return []Person{{Name: "ann", Also: []string{"Ann Lee", "ann@example.org"}}, {Name: "bob", Also: []string{"Bob O'Neil, Jr."}}, {Name: "小王", Also: []string{"王伟"}}}
}

// TestCalendarsAsProgramsWriteThem: attendees, summaries, zones by several names, folded lines, exceptions, changed and cancelled occurrences.
func TestCalendarsAsProgramsWriteThem(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want map[string]string // by instant
	}{
		"attendee by address, in a zone as Outlook calls it": {
			calendar("UID:1", "DTSTART;TZID=China Standard Time:20261102T090000\r\nDTEND;TZID=China Standard Time:20261109T090000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO\r\nATTENDEE;CN=\"Lee, A.\";PARTSTAT=ACCEPTED:mailto:ANN@example.org\r\nSUMMARY:On call"),
			nil,
		},
		"attendee": {
			calendar("UID:1\r\nDTSTART;TZID=China Standard Time:20261102T090000\r\nDTEND;TZID=China Standard Time:20261109T090000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO\r\nATTENDEE;CN=\"Lee, A.\";PARTSTAT=ACCEPTED:mailto:ANN@exam\r\n ple.org\r\nSUMMARY:On call"),
			map[string]string{"2026-11-02T00:59:59Z": "", "2026-11-02T01:00:00Z": "ann", "2026-11-09T00:59:59Z": "ann", "2026-11-09T01:00:00Z": "", "2026-11-16T01:00:00Z": "ann"},
		},
		"declined": {
			calendar("UID:1\r\nDTSTART:20261102T090000Z\r\nDURATION:P1W\r\nATTENDEE;PARTSTAT=DECLINED:mailto:ann@example.org\r\nATTENDEE;CN=\"Bob O'Neil, Jr.\":mailto:b@example.org"),
			map[string]string{"2026-11-02T09:00:00Z": "bob"},
		},
		"all day, floating, an escaped summary": {
			calendar("UID:1\r\nDTSTART;VALUE=DATE:20261121\r\nSUMMARY:On call: Bob O'Neil\\, Jr.", "UID:2\r\nDTSTART:20261122T120000\r\nDURATION:PT1H\r\nSUMMARY:值班：王伟"),
			map[string]string{"2026-11-20T15:59:00Z": "", "2026-11-20T16:00:00Z": "bob", "2026-11-21T15:59:00Z": "bob", "2026-11-21T16:00:00Z": "", "2026-11-22T04:00:00Z": "小王"},
		},
		"exceptions, one moved and one cancelled": {
			calendar("UID:d\r\nDTSTART;TZID=/citadel.org/20210210_1/Asia/Shanghai:20261101T090000\r\nDTEND;TZID=Asia/Shanghai:20261101T180000\r\nRRULE:FREQ=DAILY;UNTIL=20261110T010000Z\r\nEXDATE;TZID=Asia/Shanghai:20261102T090000,20261103T090000\r\nEXDATE:20261104T010000Z\r\nSUMMARY:ann",
				"UID:d\r\nRECURRENCE-ID;TZID=Asia/Shanghai:20261105T090000\r\nDTSTART;TZID=Asia/Shanghai:20261105T200000\r\nDTEND;TZID=Asia/Shanghai:20261105T220000\r\nSUMMARY:bob",
				"UID:d\r\nRECURRENCE-ID:20261106T010000Z\r\nDTSTART:20261106T010000Z\r\nSTATUS:CANCELLED\r\nSUMMARY:ann"),
			map[string]string{
				"2026-11-01T02:00:00Z": "ann", "2026-11-02T02:00:00Z": "", "2026-11-03T02:00:00Z": "", "2026-11-04T02:00:00Z": "", "2026-11-05T02:00:00Z": "", "2026-11-05T12:00:00Z": "bob",
				"2026-11-06T02:00:00Z": "", "2026-11-07T02:00:00Z": "ann", "2026-11-10T02:00:00Z": "ann", "2026-11-11T02:00:00Z": "",
			},
		},
		"further dates, a rule until a day": {
			calendar("UID:1\r\nDTSTART;TZID=Asia/Shanghai:20261101T220000\r\nDURATION:PT10H\r\nRRULE:FREQ=DAILY;COUNT=2\r\nRDATE;TZID=Asia/Shanghai:20261120T220000\r\nSUMMARY:ann",
				"UID:2\r\nDTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261202\r\nRRULE:FREQ=DAILY;UNTIL=20261203\r\nSUMMARY:bob"),
			map[string]string{"2026-11-02T14:00:00Z": "ann", "2026-11-03T14:00:00Z": "", "2026-11-20T23:59:00Z": "ann", "2026-12-03T15:59:00Z": "bob", "2026-12-03T16:00:00Z": ""},
		},
		"of two at once the one that began last, and the first again": {
			calendar("UID:1\r\nDTSTART:20261101T000000Z\r\nDTEND:20261110T000000Z\r\nSUMMARY:ann", "UID:2\r\nDTSTART:20261103T000000Z\r\nDTEND:20261104T000000Z\r\nSUMMARY:bob"),
			map[string]string{"2026-11-02T00:00:00Z": "ann", "2026-11-03T00:00:00Z": "bob", "2026-11-04T00:00:00Z": "ann"},
		},
		"far from now": {
			calendar("UID:1\r\nDTSTART;VALUE=DATE:20200106\r\nDURATION:P7D\r\nRRULE:FREQ=WEEKLY;INTERVAL=2\r\nSUMMARY:ann"),
			map[string]string{"2020-01-06T12:00:00Z": "ann", "2020-01-14T12:00:00Z": "", "2035-12-28T12:00:00Z": "", "2035-12-20T12:00:00Z": "ann"},
		},
	} {
		c, warnings, err := ReadCalendar(tt.text, shanghai(t), newDirectory(people()).find, at(t, "2026-11-21T10:00:00Z"))
		if tt.want == nil { // an event without a beginning
			if err == nil || !strings.Contains(err.Error(), "line 11: the event has no DTSTART") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range warnings {
			if !strings.Contains(w, "both on call") {
				t.Errorf("%s: %s", name, w)
			}
		}
		for when, want := range tt.want {
			if got, _ := c.at(at(t, when)); got != want {
				t.Errorf("%s: %s: %q, want %q", name, when, got, want)
			}
		}
	}
}

// TestBadCalendars: every fault is said with its line.
func TestBadCalendars(t *testing.T) {
	event := func(lines string) string { return calendar("UID:1\r\n" + lines) }
	for text, want := range map[string]string{
		"":                                                           "line 1: expected BEGIN:VCALENDAR",
		"BEGIN:VCARD\nEND:VCARD\n":                                   "line 1: expected BEGIN:VCALENDAR",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\n":                            "the file ends within VEVENT",
		"BEGIN:VCALENDAR\nEND:VEVENT\n":                              "line 2: found END:VEVENT, expected the end of VCALENDAR",
		"BEGIN:VCALENDAR\nno colon\n":                                `line 2: found "no colon", expected NAME:VALUE`,
		"BEGIN:VCALENDAR\nA;B:1\n":                                   "expected ;PARAMETER=VALUE",
		"BEGIN:VCALENDAR\nA;B=\"x:1\n":                               "expected a closing quote",
		"BEGIN:VCALENDAR\nA;B=x\n":                                   "expected a colon",
		"BEGIN:VCALENDAR\n\xff:1\n":                                  "not UTF-8",
		event("DTSTART:2026-11-02"):                                  "line 13: DTSTART: found \"2026-11-02\"",
		event("DTSTART:18000101"):                                    "from 1970 to 2200",
		event("DTSTART;TZID=Mars/Olympus:20261102T090000"):           `found TZID "Mars/Olympus", expected an IANA name`,
		event("DTSTART:20261102\r\nDURATION:7 days"):                 "DURATION: found \"7 days\"",
		event("DTSTART:20261102\r\nDURATION:P99999D"):                "at most 8784h",
		event("DTSTART:20261102\r\nDTEND:20301102"):                  "expected at most 8784h",
		event("DTSTART:20261102\r\nRRULE:FREQ=HOURLY"):               "FREQ: found \"HOURLY\", expected DAILY, WEEKLY, MONTHLY or YEARLY",
		event("DTSTART:20261102\r\nRRULE:FREQ=DAILY;BYHOUR=1,2,3,4"): "BYHOUR: found \"1,2,3,4\", expected that of DTSTART, 0",
		event("DTSTART:20261102\r\nRRULE:FREQ=WEEKLY;INTERVAL=4611686018427387904"): "INTERVAL: found \"4611686018427387904\", expected a number from 1 to 1000",
		event("DTSTART:20261102\r\nRRULE:FREQ=OFTEN"):                               "RRULE: FREQ: found \"OFTEN\"",
		event("DTSTART:20261102\r\nRRULE:FREQ=DAILY\r\nRRULE:FREQ=DAILY"):           "there is a second one",
		event("DTSTART:20261102\r\nRRULE:COUNT=1"):                                  "expected a FREQ",
		event("DTSTART:20261102\r\nRRULE:FREQ=YEARLY;BYWEEKNO=3"):                   "BYWEEKNO is not understood",
		event("DTSTART:20261102\r\nRRULE:FREQ=WEEKLY;BYDAY=2MO"):                    "in months and years only",
		event("DTSTART:20261102\r\nRRULE:FREQ=MONTHLY;BYDAY=2M"):                    "expected days such as MO or -1FR",
		event("DTSTART:20261102\r\nEXRULE:FREQ=DAILY"):                              "list the dates in EXDATE",
	} {
		if _, _, err := ReadCalendar(text, time.UTC, newDirectory(people()).find, at(t, "2026-11-21T10:00:00Z")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestCalendarWarnings: what counts for nothing is told, with its line.
func TestCalendarWarnings(t *testing.T) {
	text := calendar("UID:1\r\nDTSTART:20261121T000000Z\r\nDURATION:P1D\r\nSUMMARY:Carol", "UID:2\r\nDTSTART:20261121T000000Z\r\nDURATION:P1D", "UID:3\r\nDTSTART:20261121T000000Z\r\nSUMMARY:ann",
		"UID:4\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261121T000000Z\r\nDTSTART:20261121T000000Z\r\nDURATION:P1D\r\nSUMMARY:ann", "UID:5\r\nDTSTART:20261121T000000Z\r\nDURATION:P1D\r\nSUMMARY:ann and bob",
		"UID:6\r\nDTSTART:20261130T000000Z\r\nDURATION:P1D\r\nSUMMARY:ann", "UID:7\r\nDTSTART:20261130T120000Z\r\nDURATION:P1D\r\nSUMMARY:bob")
	_, warnings, err := ReadCalendar(text, time.UTC, newDirectory(people()).find, at(t, "2026-11-21T10:00:00Z"))
	all := strings.Join(warnings, "\n")
	for _, want := range []string{`line 11: nobody is known as "Carol"`, "neither attendee nor summary", "takes no time", "THISANDFUTURE", `nobody is known as "ann and bob"`, "ann and bob are both on call from 2026-11-30T12:00:00Z"} {
		if err != nil || !strings.Contains(all, want) {
			t.Errorf("no %q in %s (%v)", want, all, err)
		}
	}
}

// TestCalendarIsReadAgain: a file that changed counts; one that is broken does not take away what was known.
func TestCalendarIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rota.ics")
	now := at(t, "2026-11-21T10:00:00Z")
	write := func(text string, stamp int) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now, now.Add(time.Duration(stamp)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	write(calendar("UID:1\r\nDTSTART;VALUE=DATE:20261121\r\nSUMMARY:ann"), 0)
	r, _, err := New(Config{People: people(), Schedules: []Schedule{{Name: "s", ICal: file}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct{ text, want string }{
		{calendar("UID:1\r\nDTSTART;VALUE=DATE:20261121\r\nSUMMARY:bob"), "bob"}, {"broken", "bob"}, {calendar("UID:1\r\nDTSTART;VALUE=DATE:20261120\r\nSUMMARY:bob"), ""},
	} {
		write(step.text, i+1)
		_, err := r.schedules["s"].read(now)
		if d, _ := r.At("s", now); d.Person != step.want || (err != nil) != (step.text == "broken") {
			t.Errorf("%d: %+v, %v", i, d, err)
		}
	}
}

// FuzzCalendar: whatever a file says, it is read or refused, and asking never ends in a circle.
func FuzzCalendar(f *testing.F) {
	f.Add(calendar("UID:d\r\nDTSTART;TZID=Asia/Shanghai:20261101T090000\r\nDTEND;TZID=Asia/Shanghai:20261101T180000\r\nRRULE:FREQ=DAILY;UNTIL=20261110T010000Z\r\nEXDATE;TZID=Asia/Shanghai:20261102T090000,20261103T090000\r\nSUMMARY:ann"))
	f.Add(calendar("UID:1\r\nDTSTART;VALUE=DATE:20261121\r\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1\r\nATTENDEE;CN=\"x\":mailto:ann@example.org\r\nRDATE;VALUE=PERIOD:20261121T000000Z/PT1H"))
	f.Add("BEGIN:VCALENDAR\nBEGIN:VEVENT\nRECURRENCE-ID:20261106T010000Z\nDTSTART:20261106T010000Z\nDURATION:-P1D\nEND:VEVENT\nEND:VCALENDAR")
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	find := newDirectory(people()).find
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := ReadCalendar(text, time.UTC, find, now)
		if err != nil {
			return
		}
		for at, n := now, 0; at.Before(now.Add(100*day)) && n < 1000; n++ {
			_, until := c.at(at)
			if !until.After(at) {
				t.Fatalf("at %v it says until %v", at, until)
			}
			at = until
		}
	})
}
