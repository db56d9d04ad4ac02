package agent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
)

func TestEnrich(t *testing.T) {
	t.Parallel()
	r := New()
	for header, want := range map[string][5]string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": {"Safari", "17.5", "iOS", "17.5", "iPhone"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36":                         {"Chrome", "126.0.0.0", "Windows", "10.0", ""},
		"IMClient/5.2.1 (Android 15; Pixel 9) okhttp/4.12":                                                                                        {"IMClient", "5.2.1", "Android", "15", "Pixel 9"},
		"Go-http-client/1.1": {"Go-http-client", "1.1", "", "", ""},
		"":                   {},
	} {
		for range 2 { // read, then remembered
			var e event.Event
			e.SetText(event.FieldUserAgent, header)
			r.Enrich(&e)
			var got [5]string
			for i, id := range r.Adds() {
				got[i] = e.Text(id)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %s", header, d)
			}
		}
	}
}

func TestWhatTheEventSaysStays(t *testing.T) {
	t.Parallel()
	var e event.Event
	e.SetText(event.FieldUserAgent, "curl/8.5.0")
	e.SetText(event.FieldUserAgentName, "mine")
	New().Enrich(&e)
	if e.Text(event.FieldUserAgentName) != "mine" || e.Text(event.FieldUserAgentVersion) != "8.5.0" {
		t.Error(string(e.AppendJSON(nil)))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := New()
	for i := range 2 * remembered {
		r.read(fmt.Sprintf("client/%d %s", i, strings.Repeat("x", 2*longest)))
	}
	if len(r.known) > remembered {
		t.Errorf("%d headers are remembered", len(r.known))
	}
}

func FuzzRead(f *testing.F) {
	f.Add("Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) AppleWebKit/537.36 MicroMessenger/8.0.49")
	f.Fuzz(func(_ *testing.T, header string) { New().read(header) })
}

func BenchmarkEnrich(b *testing.B) {
	r := New()
	b.ReportAllocs()
	var e event.Event
	for b.Loop() {
		e.Reset()
		e.SetText(event.FieldUserAgent, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36")
		r.Enrich(&e)
	}
}
