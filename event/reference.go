package event

import (
	"fmt"
	"strings"
)

// Reference gives the page docs/events.md: the table and the closed lists as Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Events\n\n<!-- Made from package event; change it there and run `make generate`. -->\n\n" +
		"One event is one JSON object on one line, UTF-8, at most 64 KiB. Names follow the Elastic Common Schema " + ECSVersion +
		"; what it has no\nname for lives under `im.*`. Nested objects, dotted names and both in one line are read. " +
		"`docs/event.schema.json` is the JSON Schema.\n")
	for _, g := range []struct {
		group Group
		title string
	}{{Base, "Every event has"}, {Optional, "Where it applies"}, {Pipeline, "Added by the pipeline"}, {AlertGroup, "Alerts"}} {
		fmt.Fprintf(&b, "\n## %s\n| field | type | when | meaning |\n| --- | --- | --- | --- |\n", g.title)
		for i := range table {
			if table[i].Group == g.group {
				fmt.Fprintf(&b, "| `%s` | %s%s | %s | %s |\n", table[i].Name, table[i].Type, list(table[i]), table[i].When, escapeCell(table[i].Meaning))
			}
		}
		if g.group == Optional {
			b.WriteString("| `labels.*` | keyword | free | free fields |\n")
		}
	}
	writeAliases(&b)
	writeActions(&b)
	writeReasons(&b)
	return b.String()
}

func list(f Field) string {
	if f.List {
		return ", list"
	}
	return ""
}

func escapeCell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s)
}

func writeAliases(b *strings.Builder) {
	b.WriteString("\n## Aliases\nShort names that queries may use, in Kibana too.\n\n| alias | field |\n| --- | --- |\n")
	for _, a := range aliases {
		fmt.Fprintf(b, "| `%s` | `%s` |\n", a.alias, a.name)
	}
}

func writeActions(b *strings.Builder) {
	b.WriteString("\n## Actions (`event.action`)\nThe usual level and outcome; a close reason or a status may raise them.\n\n" +
		"| action | dataset | level | outcome | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, a := range Actions() {
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s | %s |\n", a.Code, a.Dataset, a.Level, a.Outcome, a.Meaning)
	}
}

func writeReasons(b *strings.Builder) {
	b.WriteString("\n## Close reasons (`im.close.reason`)\nCodes 4000–4499: the client may come back; 4500–4999: it should not. No code: no close frame was sent.\n\n" +
		"| reason | code | initiator | retry | outcome | meaning |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range CloseReasons() {
		code := "–"
		if r.Code != 0 {
			code = fmt.Sprint(r.Code)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", r.Reason, code, r.Initiator, r.Retry, r.Outcome, r.Meaning)
	}
	b.WriteString("\n## Handshake reasons (`event.reason` of `handshake_failure`)\n\n| reason | stage | HTTP | level | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range HandshakeReasons() {
		status := "–"
		if r.Status != 0 {
			status = fmt.Sprint(r.Status)
		}
		if r.RetryAfter {
			status += ", Retry-After"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", r.Reason, r.Stage, status, r.Level, r.Meaning)
	}
}
