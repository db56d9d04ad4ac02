package render

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// Links says where the links of notifications lead. What is empty makes no links.
type Links struct {
	Kibana   string `yaml:"kibana" doc:"address of Kibana, with its space if it has one: notifications link to the alert's events, pinned to window, key and trace"`
	DataView string `yaml:"data_view" doc:"id of the data view in which Kibana shows them"`
	Console  string `yaml:"console" doc:"address of the console: notifications link to the alert's page, CONSOLE/alerts/ID"`
	Runbooks string `yaml:"runbooks" doc:"address in front of runbooks that rules name by a path, such as https://git.example.org/im/"`
}

// Validate gives all faults, each with its key below path.
func (l Links) Validate(path string) error {
	var errs []error
	for _, k := range []struct{ key, value string }{{"kibana", l.Kibana}, {"console", l.Console}, {"runbooks", l.Runbooks}} {
		if k.value == "" {
			continue
		}
		if u, err := url.Parse(k.value); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.ContainsAny(k.value, "()<>|\"' ") {
			errs = append(errs, fmt.Errorf("%s.%s: found %q, expected an address, https://…, without user and password", path, k.key, k.value))
		}
	}
	return errors.Join(errs...)
}

// of gives an alert's links, the best first.
func (l Links) of(lang string, a *event.Alert) []channel.Link {
	var out []channel.Link
	add := func(name, address string) {
		if address != "" {
			out = append(out, channel.Link{Name: word(lang, name), URL: address})
		}
	}
	add("console", l.console(a))
	from, to := span(a)
	if l.Kibana != "" {
		add("events", l.discover(from, to, keyQuery(a)))
		if id := traceOf(a); id != "" {
			add("trace", l.discover(from, to, "trace.id:"+quote(id)))
		}
	}
	add("runbook", l.runbook(a))
	return out
}

func (l Links) console(a *event.Alert) string {
	if l.Console == "" {
		return ""
	}
	return strings.TrimRight(l.Console, "/") + "/alerts/" + escape(a.ID)
}

func (l Links) runbook(a *event.Alert) string {
	book := a.Annotations["runbook"]
	if u, err := url.Parse(book); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "|", "%7C", "\"", "%22", " ", "%20").Replace(u.String())
	}
	if l.Runbooks == "" || book == "" || strings.Contains(book, "://") {
		return ""
	}
	parts := strings.Split(strings.TrimLeft(book, "/"), "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return strings.TrimRight(l.Runbooks, "/") + "/" + strings.Join(parts, "/")
}

// discover gives the address of a search in Kibana. Every sign that could end a link in a markup is escaped.
func (l Links) discover(from, to time.Time, query string) string {
	if l.Kibana == "" {
		return ""
	}
	g := "(time:(from:" + rison(event.FormatTime(from)) + ",to:" + rison(event.FormatTime(to)) + "))"
	a := "(query:(language:kuery,query:" + rison(query) + "))"
	if l.DataView != "" {
		a = "(index:" + rison(l.DataView) + ",query:(language:kuery,query:" + rison(query) + "))"
	}
	return strings.TrimRight(l.Kibana, "/") + "/app/discover#/?_g=" + escape(g) + "&_a=" + escape(a)
}

// span is the time that an alert is about: its first window and all until this state.
func span(a *event.Alert) (from, to time.Time) {
	from, to = a.From.Add(-window(a.Window)), a.Time
	if !to.After(a.From) {
		to = a.From
	}
	return from, to.Add(time.Second) // Kibana cuts at the instant
}

// window reads a rule's window; 0 where there is none.
func window(s string) time.Duration {
	var total time.Duration
	for len(s) > 0 {
		n, i := 0, 0
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1e9; i++ {
			n = 10*n + int(s[i]-'0')
		}
		j := i
		for j < len(s) && (s[j] < '0' || s[j] > '9') {
			j++
		}
		unit, ok := map[string]time.Duration{
			"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
		}[s[i:j]]
		if !ok || i == 0 {
			return 0
		}
		total, s = total+time.Duration(n)*unit, s[j:]
	}
	return total
}

// missing is how a key says that events lack the field.
const missing = "_missing"

func keyQuery(a *event.Alert) string {
	parts := make([]string, len(a.Key))
	for i, p := range a.Key {
		if parts[i] = p.Field + ":" + quote(p.Value); p.Value == missing {
			parts[i] = "not " + p.Field + ":*"
		}
	}
	return strings.Join(parts, " and ")
}

// traceOf gives the trace that an alert is about: of its key, else the most frequent of its evidence.
func traceOf(a *event.Alert) string {
	for _, p := range a.Key {
		if p.Field == "trace.id" && p.Value != missing {
			return p.Value
		}
	}
	if top := a.Top["trace.id"]; len(top) > 0 {
		return top[0].Value
	}
	return ""
}

// quote gives a KQL phrase.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line(s)) + `"`
}

// rison gives a text in Kibana's notation.
func rison(s string) string { return "'" + strings.NewReplacer("!", "!!", "'", "!'").Replace(s) + "'" }

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
