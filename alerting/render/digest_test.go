package render_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"imwatch/alerting/channel"
	"imwatch/alerting/render"
	"imwatch/event"

	"pgregory.net/rapid"
)

var (
	counts = regexp.MustCompile(`(?m)×(\d+)(?:: (.*))?$`)
	others = regexp.MustCompile(`(?m)^…\+(\d+)`)
)

// TestDigestNamesOrCountsEveryone: whatever is folded into whatever room, the numbers of the lines and of the rest add
// up, each line names and counts as many as it says, and the body fits.
func TestDigestNamesOrCountsEveryone(t *testing.T) {
	r, err := render.New(render.Options{Links: render.Links{Kibana: "https://kibana.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		style := rapid.SampledFrom(render.Styles()).Draw(t, "style")
		lang := rapid.SampledFrom(render.Languages()).Draw(t, "language")
		limit := rapid.IntRange(300, 6000).Draw(t, "limit")
		told := make([]render.Told, rapid.IntRange(2, 400).Draw(t, "alerts"))
		rules := rapid.IntRange(1, 40).Draw(t, "rules")
		for i := range told {
			told[i] = render.Told{
				Kind: rapid.SampledFrom([]channel.Kind{channel.Firing, channel.Resolved, channel.Repeat}).Draw(t, "kind"),
				Alert: &event.Alert{
					RuleID: fmt.Sprint("rule-", i%rules), RuleName: fmt.Sprint("规则 ", i%rules), Severity: rapid.SampledFrom(event.Severities()).Draw(t, "severity"),
					Key: []event.KeyPart{{Field: "client.ip", Value: fmt.Sprint("192.0.2.", i)}},
				},
			}
		}
		m, err := r.Digest(style, lang, told, limit)
		if err != nil {
			t.Fatal(err)
		}
		size := len(m.Body)
		if style == render.SMS || style == render.Voice {
			size = utf8.RuneCountInString(m.Body)
		}
		if size > limit || !utf8.ValidString(m.Body) {
			t.Fatalf("%d bytes of %d", len(m.Body), limit)
		}
		if (m.HTML != "") != (style == render.Email) {
			t.Fatalf("%s has %d bytes of HTML", style, len(m.HTML))
		}
		sum := 0
		for _, line := range counts.FindAllStringSubmatch(m.Body, -1) {
			n, _ := strconv.Atoi(line[1])
			sum += n
			if line[2] == "" {
				continue
			}
			keys, rest, _ := strings.Cut(line[2], " …+")
			left, _ := strconv.Atoi(rest)
			if got := len(strings.Split(keys, "; ")) + left; got != n {
				t.Fatalf("%d of %d: %s", got, n, line[0])
			}
		}
		for _, rest := range others.FindAllStringSubmatch(m.Body, -1) {
			n, _ := strconv.Atoi(rest[1])
			sum += n
		}
		if sum != len(told) || !strings.Contains(m.Title, strconv.Itoa(len(told))) {
			t.Fatalf("%d of %d told: %s\n%s", sum, len(told), m.Title, m.Body)
		}
	})
}

func TestDigestGolden(t *testing.T) {
	r, err := render.New(render.Options{Links: render.Links{Kibana: "https://kibana.example.org", DataView: "imwatch-events"}})
	if err != nil {
		t.Fatal(err)
	}
	var told []render.Told
	for i := range 60 {
		a := sample(channel.Firing)
		a.Key[0].Value = fmt.Sprint("192.0.2.", i)
		told = append(told, render.Told{Kind: channel.Firing, Alert: a})
	}
	critical, over := sample(channel.Updated), sample(channel.Resolved)
	critical.RuleID, critical.RuleName = "node-died", "A node died"
	told = append(told, render.Told{Kind: channel.Updated, Alert: critical}, render.Told{Kind: channel.Resolved, Alert: over})
	for _, lang := range render.Languages() {
		for _, style := range render.Styles() {
			m, err := r.Digest(style, lang, told, 1200)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, lang+"-"+string(style)+"-digest.txt", m.Title+"\n\n"+m.Body+"\n")
		}
	}
}

// TestGroupGolden shows a group in every style and language: three alerts of two rules, one of which fired and is over.
func TestGroupGolden(t *testing.T) {
	r, err := render.New(render.Options{Zone: time.FixedZone("CST", 8*3600), Links: render.Links{
		Kibana: "https://kibana.example.org", DataView: "imwatch-events", Console: "https://watch.example.org",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range render.Languages() {
		first, second, over, critical := sample(channel.Firing), sample(channel.Firing), sample(channel.Resolved), sample(channel.Updated)
		second.ID, second.Key[0].Value = "5", "192.0.2.<b>"
		over.ID = second.ID
		critical.ID, critical.RuleID, critical.RuleName = "6", "node-died", "A node died"
		told := []render.Told{
			{Kind: channel.Firing, Alert: first, Note: render.Flapping(lang, 4, time.Hour, 30*time.Minute)},
			{Kind: channel.Firing, Alert: second},
			{Kind: channel.Resolved, Alert: over},
			{Kind: channel.Updated, Alert: critical},
		}
		for _, style := range render.Styles() {
			m, err := r.Group(style, lang, "labels.team=im, rule=<@all>", told, 2000, channel.Link{Name: "ack all", URL: "https://watch.example.org/l/A"}, channel.Link{Name: "silence all", URL: "https://watch.example.org/l/S"})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, lang+"-"+string(style)+"-group.txt", m.Title+"\n\n"+m.Body+"\n")
			if style == render.Email {
				golden(t, lang+"-email-group.html", m.HTML+"\n")
			} else if m.HTML != "" {
				t.Errorf("%s has HTML", style)
			}
		}
	}
}

// TestLinksThatFit: where there is no room for all links, the first ones stand in the text, and all of them beside it.
func TestLinksThatFit(t *testing.T) {
	r, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	told := []render.Told{{Kind: channel.Firing, Alert: sample(channel.Firing)}, {Kind: channel.Firing, Alert: sample(channel.Firing)}}
	address := "https://watch.example.org/l/" + strings.Repeat("x", 100)
	for limit, want := range map[int]int{1000: 2, 400: 1, 250: 0} {
		m, err := r.Group(render.DingTalk, "en", "rule=x", told, limit, channel.Link{Name: "ack all", URL: address}, channel.Link{Name: "silence all", URL: address})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(m.Body, address); got != want || len(m.Links) != 2 || len(m.Body) > limit {
			t.Errorf("of %d: %d links in %d bytes, %d beside: %s", limit, got, len(m.Body), len(m.Links), m.Body)
		}
	}
}

// TestFlappingIsSaid in every style and language, with the alert that makes its key flap.
func TestFlappingIsSaid(t *testing.T) {
	r, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{
		"en": "flapping: fired 4 times within 1h, further ones are not told until it has been calm for 30m", "zh": "抖动：1h 内触发 4 次，平静 30m 之前不再逐次通知",
	} {
		a := sample(channel.Firing)
		a.Annotations[render.FlappingNote] = render.Flapping(lang, 4, time.Hour, 30*time.Minute)
		for _, style := range render.Styles() {
			m, err := r.Message(style, lang, channel.Firing, a)
			if err != nil || strings.Count(m.Body, want) != 1 || m.HTML != "" && strings.Count(m.HTML, want) != 1 {
				t.Errorf("%s %s: %v\n%s\n%s", lang, style, err, m.Body, m.HTML)
			}
		}
	}
}

// TestGroupOnATelephone fits what a text has room for, with the number of alerts first.
func TestGroupOnATelephone(t *testing.T) {
	r, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var told []render.Told
	for i := range 40 {
		a := sample(channel.Firing)
		a.ID, a.Key[0].Value = fmt.Sprint(i), fmt.Sprint("192.0.2.", i)
		told = append(told, render.Told{Kind: channel.Firing, Alert: a})
	}
	for limit := 12; limit < 300; limit += 9 {
		m, err := r.Group(render.SMS, "en", "rule=x", told, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n := utf8.RuneCountInString(m.Body); n > limit || !strings.HasPrefix(m.Body, "40 alert") && limit > 20 {
			t.Errorf("%d of %d: %s", n, limit, m.Body)
		}
		fields := map[string]string{}
		for _, f := range m.Fields {
			fields[f.ID] = f.Text
		}
		if fields["severity"] != "high" || fields["rule"] != "Handshake failures from one address ×40" || !strings.HasPrefix(fields["key"], "client.ip=192.0.2.0") {
			t.Errorf("parameters: %v", fields)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	r, err := render.New(render.Options{})
	if err != nil {
		b.Fatal(err)
	}
	told := make([]render.Told, 500)
	for i := range told {
		a := sample(channel.Firing)
		a.RuleID = fmt.Sprint(i % 7)
		told[i] = render.Told{Kind: channel.Firing, Alert: a}
	}
	for b.Loop() {
		if _, err := r.Digest(render.WeCom, "zh", told, 3600); err != nil {
			b.Fatal(err)
		}
	}
}
