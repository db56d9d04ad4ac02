// Package fill fills the parameters of texts that a provider has approved beforehand, as those of SMS and voice calls:
// each parameter is a small template over an alert's fields.
package fill

import (
	"fmt"
	"io"
	"strings"
	"text/template"

	"imwatch/alerting/channel"
)

// values are what the templates see.
type values struct {
	Title, Text, ID                                         string
	State, Severity, Rule, Key, Value, Since, Ended, Lasted string
}

// Param is one parameter.
type Param struct{ template *template.Template }

// Parse reads a parameter such as {{.Rule}}; its errors name what may stand there.
func Parse(text string) (Param, error) {
	t, err := template.New("param").Option("missingkey=error").Parse(text)
	if err == nil {
		err = t.Execute(io.Discard, values{})
	}
	if err != nil {
		return Param{}, fmt.Errorf("found %q, expected text with {{.Title}}, {{.Text}}, {{.State}}, {{.Severity}}, {{.Rule}}, {{.Key}}, {{.Value}}, {{.Since}}, {{.Ended}}, {{.Lasted}} or {{.ID}}: %w", text, err)
	}
	return Param{t}, nil
}

// Of fills a parameter for a notification, in at most runes runes of one line: providers refuse a longer one, and some
// refuse an empty one.
func (p Param) Of(n channel.Notification, runes int) (string, error) {
	v := values{Title: n.Message.Title, Text: n.Message.Body, ID: n.Alert.ID}
	for _, f := range n.Message.Fields {
		switch f.ID {
		case "state":
			v.State = f.Text
		case "severity":
			v.Severity = f.Text
		case "rule":
			v.Rule = f.Text
		case "key":
			v.Key = f.Text
		case "value":
			v.Value = f.Text
		case "since":
			v.Since = f.Text
		case "ended":
			v.Ended = f.Text
		case "lasted":
			v.Lasted = f.Text
		}
	}
	var b strings.Builder
	if err := p.template.Execute(&b, v); err != nil {
		return "", fmt.Errorf("filling a parameter: %w", err)
	}
	text := channel.CutRunes(strings.Join(strings.Fields(b.String()), " "), runes)
	if text == "" {
		text = "-"
	}
	return text, nil
}
