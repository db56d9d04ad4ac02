package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/render"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func sample(kind channel.Kind) *event.Alert {
	from := time.Date(2026, 11, 21, 6, 30, 0, 0, time.UTC)
	a := &event.Alert{
		Time: from.Add(95 * time.Second), ID: "4b1d5ca3f0c2", State: string(kind), RuleID: "handshake-failures-by-ip",
		RuleName: "Handshake failures from one address", Status: "enabled", Severity: "high",
		Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}, {Field: "event.reason", Value: "token_expired"}}, Value: 21, Limit: "> 20",
		Window: "1m", From: from, FirstEvent: "node-1-a-0000000001", EvidenceIDs: []string{"node-1-a-0000000001"},
		Top:         map[string][]event.TopValue{"user.id": {{Value: "alice", Count: 12}, {Value: "<@all>", Count: 9}}, "im.platform": {{Value: "ios", Count: 21}}},
		Labels:      map[string]string{"team": "im"},
		Annotations: map[string]string{"summary": "192.0.2.1: 21 failed handshakes in a minute", "runbook": "docs/runbooks/handshake-failures.md", "hint": "look at [the gateway](http://example.org)"},
	}
	switch kind {
	case channel.Resolved:
		a.Time = from.Add(26*time.Hour + 5*time.Minute)
		a.To = a.Time
	case channel.Updated:
		a.Value, a.Degraded, a.Severity = 42.5, true, "critical"
	case channel.Repeat:
		a.State = event.StateFiring
	}
	return a
}

func TestGolden(t *testing.T) {
	r, err := render.New(render.Options{Zone: time.FixedZone("CST", 8*3600), Links: render.Links{
		Kibana: "https://kibana.example.org/s/im", DataView: "imwatch-events", Console: "https://watch.example.org", Runbooks: "https://git.example.org/im",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range render.Languages() {
		for _, style := range render.Styles() {
			for _, kind := range []channel.Kind{channel.Firing, channel.Updated, channel.Repeat, channel.Escalated, channel.Resolved} {
				m, err := r.Message(style, lang, kind, sample(kind))
				if kind == channel.Escalated {
					m, err = r.PassedOn(style, lang, sample(channel.Repeat), render.Passed{After: 10 * time.Minute, OnCall: "lead", Person: "ann"})
				}
				if err != nil {
					t.Fatal(err)
				}
				name := strings.Join([]string{lang, string(style), string(kind)}, "-")
				golden(t, name+".txt", m.Title+"\n\n"+m.Body+"\n")
				if style == render.Feishu {
					golden(t, lang+"-card-"+string(kind)+".txt", card(m))
				}
				if style == render.Email {
					golden(t, name+".html", m.HTML+"\n")
				}
			}
		}
	}
}

// card writes down what cards show.
func card(m channel.Message) string {
	var b strings.Builder
	for _, f := range m.Fields {
		b.WriteString(f.ID + " | " + f.Name + " | " + f.Text + "\n")
	}
	for _, l := range m.Links {
		b.WriteString(l.Name + " -> " + l.URL + "\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}

func TestStrangersTextStaysText(t *testing.T) {
	r, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		evil := rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{"<@all>", "[click](http://evil.example)", "a\r\nBcc: x@example.org", "</td><script>alert(1)</script>", "\u202etxt", "`x`", "**b**", "\xff\n> quote"}),
		).Draw(t, "text")
		a := sample(channel.Firing)
		clean := map[render.Style]channel.Message{}
		for _, style := range render.Styles() {
			clean[style], _ = r.Message(style, "en", channel.Firing, a)
		}
		a.Key[0].Value, a.Annotations["summary"], a.RuleName, a.Top["user.id"][0].Value = evil, evil, evil, evil
		for _, style := range render.Styles() {
			m, err := r.Message(style, "en", channel.Firing, a)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(m.Title, "\r\n\u202e") || (style == render.SMS || style == render.Voice) && strings.ContainsAny(m.Body, "\r\n") {
				t.Fatalf("%s: more than one line: %q", style, m.Title+m.Body)
			}
			if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "<@") {
				t.Fatalf("HTML holds a stranger's tag: %s", m.HTML)
			}
			if strings.HasPrefix(string(style), "wecom") || style == render.DingTalk || style == render.Feishu {
				for _, special := range []string{"<", "[", "|", "@", "\n>", "\n#", "\n"} {
					if strings.Count(m.Body, special) > strings.Count(clean[style].Body, special) {
						t.Fatalf("%q came in by a value: %s", special, m.Body)
					}
				}
			}
		}
	})
}

func TestUnknownLanguage(t *testing.T) {
	r, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Message(render.Plain, "fr", channel.Firing, sample(channel.Firing)); err == nil || !strings.Contains(err.Error(), `"fr"`) {
		t.Errorf("got %v", err)
	}
}
