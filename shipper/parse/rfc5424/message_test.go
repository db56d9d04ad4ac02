package rfc5424

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]Message{
		// The examples of RFC 5424 and RFC 3164.
		"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8": {
			Facility: "auth", Severity: "crit", Time: "2003-10-11T22:14:15.003Z", Host: "mymachine.example.com", App: "su", ID: "ID47",
			Text: "'su root' failed for lonvick on /dev/pts/8",
		},
		`<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\"lic\\ation\]"][x@1] An event`: {
			Facility: "local4", Severity: "notice", Time: "2003-10-11T22:14:15.003Z", Host: "host", App: "evntslog", ID: "ID47",
			Data: []Element{{"exampleSDID@32473", []Param{{"iut", "3"}, {"eventSource", `App"lic\ation]`}}}, {ID: "x@1"}}, Text: "An event",
		},
		"<0>1 - - - - - -": {Facility: "kern", Severity: "emerg"},
		"<34>Oct 11 22:14:15 mymachine su: 'su root' failed": {
			Facility: "auth", Severity: "crit", Time: "Oct 11 22:14:15", Host: "mymachine", App: "su", Text: "'su root' failed",
		},
		"<13>Feb  5 17:32:18.123 10.0.0.99 nginx[42]: a: b":        {Facility: "user", Severity: "notice", Time: "Feb  5 17:32:18.123", Host: "10.0.0.99", App: "nginx", Process: "42", Text: "a: b"},
		"<13>Feb  5 17:32:18 app[7]: no host":                      {Facility: "user", Severity: "notice", Time: "Feb  5 17:32:18", App: "app", Process: "7", Text: "no host"},
		"<13>2026-11-21T10:00:00+08:00 gw app: new time":           {Facility: "user", Severity: "notice", Time: "2026-11-21T10:00:00+08:00", Host: "gw", App: "app", Text: "new time"},
		"<191>no header at all":                                    {Facility: "local7", Severity: "debug", Text: "no header at all"},
		"no priority":                                              {Text: "no priority"},
		"<192>too high":                                            {Text: "<192>too high"},
		"<34>1 2003-10-11T22:14:15.003Z host app - ID [broken x y": {Facility: "auth", Severity: "crit", Time: "2003-10-11T22:14:15.003Z", Host: "host", Text: "app - ID [broken x y"},
		"": {},
	} {
		if d := cmp.Diff(want, Parse(line)); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`<34>1 - h app - - [a@1 b="c"] text`: `{"syslog":{"app":"app","data":{"a@1":{"b":"c"}},"facility":"auth","host":"h","severity":"crit"},"message":"text"}`,
		`<34>1 - - - - - - {"a": 1}`:         `{"syslog":{"facility":"auth","severity":"crit"},"a": 1}`,
		`<34>1 - - - - - - {}`:               `{"syslog":{"facility":"auth","severity":"crit"},"message":"{}"}`,
		`<34>1 - - - - - - {broken`:          `{"syslog":{"facility":"auth","severity":"crit"},"message":"{broken"}`,
	} {
		if got := Parse(line).AppendJSON(nil); string(got) != want {
			t.Errorf("%s became %s", line, got)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(`<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [exampleSDID@32473 iut="3\"" e="x"] {"a":1}`)
	f.Add("<13>Feb  5 17:32:18.123 10.0.0.99 nginx[42]: a: b")
	f.Fuzz(func(t *testing.T, line string) {
		m := Parse(line)
		if !strings.HasSuffix(line, m.Text) {
			t.Fatalf("%q became %q", line, m.Text)
		}
		if b := m.AppendJSON(nil); !json.Valid(b) {
			t.Fatalf("%q became %s", line, b)
		}
	})
}
