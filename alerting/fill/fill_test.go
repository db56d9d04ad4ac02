package fill_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"imwatch/alerting/channel"
	"imwatch/alerting/fill"

	"pgregory.net/rapid"
)

func TestParamsFit(t *testing.T) {
	p, err := fill.Parse("{{.Severity}}: {{.Rule}} {{.Key}} {{.Ended}}")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := channel.Notification{Message: channel.Message{Fields: []channel.Field{
			{ID: "severity", Text: rapid.String().Draw(t, "severity")}, {ID: "rule", Text: rapid.String().Draw(t, "rule")}, {ID: "key", Text: rapid.String().Draw(t, "key")},
		}}}
		runes := rapid.IntRange(6, 40).Draw(t, "runes")
		got, err := p.Of(n, runes)
		if err != nil || got == "" || utf8.RuneCountInString(got) > runes || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n") {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestParseNamesWhatMayStand(t *testing.T) {
	for _, text := range []string{"{{.Rool}}", "{{.Rule", `{{env "HOME"}}`} {
		if _, err := fill.Parse(text); err == nil || !strings.Contains(err.Error(), "{{.Rule}}") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
