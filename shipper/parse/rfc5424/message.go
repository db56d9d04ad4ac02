// Package rfc5424 reads syslog messages: by RFC 5424, and by what came before it.
package rfc5424

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Message is what a syslog message says. What it does not say is empty.
type Message struct {
	Facility, Severity string // their names in RFC 5424
	Time               string // as it is written
	Host, App, Process string
	ID                 string
	Data               []Element // structured data
	Text               string
}

// Element is one element of structured data.
type Element struct {
	ID     string
	Params []Param
}

// Param is a name and its value.
type Param struct{ Name, Value string }

var (
	severities = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	facilities = [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
)

const (
	bom     = "\ufeff"
	stamp   = "Jan _2 15:04:05"
	maxPri  = 191
	nothing = "-"
)

// Parse reads a message by RFC 5424, and else as leniently as RFC 3164 is written: the priority may be missing, so may
// be time, host and tag, and the time may be in the form of RFC 3339. It refuses nothing: what it cannot make out is
// text.
func Parse(line string) Message {
	var m Message
	rest := line
	if n, after, ok := priority(line); ok {
		m.Facility, m.Severity = facilities[n/8], severities[n%8]
		rest = after
	}
	if after, ok := strings.CutPrefix(rest, "1 "); ok {
		if x, ok := m.rfc5424(after); ok {
			return x
		}
	}
	return m.rfc3164(rest)
}

func priority(s string) (n int, rest string, ok bool) {
	digits, rest, ok := strings.Cut(strings.TrimPrefix(s, "<"), ">")
	if !ok || s[0] != '<' || digits == "" || len(digits) > 3 {
		return 0, s, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, s, false
		}
		n = 10*n + int(c-'0')
	}
	return n, rest, n <= maxPri
}

func (m Message) rfc5424(s string) (Message, bool) {
	for _, field := range []*string{&m.Time, &m.Host, &m.App, &m.Process, &m.ID} {
		word, rest, ok := strings.Cut(s, " ")
		if !ok || word == "" {
			return m, false
		}
		if word != nothing {
			*field = word
		}
		s = rest
	}
	var ok bool
	if s, ok = m.data(s); !ok {
		return m, false
	}
	if s != "" && s[0] != ' ' {
		return m, false
	}
	m.Text = strings.TrimPrefix(strings.TrimPrefix(s, " "), bom)
	return m, true
}

// data reads the structured data that s begins with.
func (m *Message) data(s string) (rest string, ok bool) {
	if after, ok := strings.CutPrefix(s, nothing); ok {
		return after, true
	}
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	for strings.HasPrefix(s, "[") {
		var e Element
		s = s[1:]
		n := strings.IndexAny(s, " ]")
		if n <= 0 {
			return s, false
		}
		e.ID, s = s[:n], s[n:]
		for strings.HasPrefix(s, " ") {
			var p Param
			if p, s, ok = param(strings.TrimLeft(s, " ")); !ok {
				return s, false
			}
			e.Params = append(e.Params, p)
		}
		if !strings.HasPrefix(s, "]") {
			return s, false
		}
		s = s[1:]
		m.Data = append(m.Data, e)
	}
	return s, true
}

func param(s string) (p Param, rest string, ok bool) {
	name, s, ok := strings.Cut(s, `="`)
	if !ok || name == "" || strings.ContainsAny(name, ` ]"=`) {
		return p, s, false
	}
	var value strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return Param{name, value.String()}, s[i+1:], true
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`"\]`, s[i+1]) >= 0:
			i++
			value.WriteByte(s[i])
		default:
			value.WriteByte(c)
		}
	}
	return p, s, false
}

// rfc3164 reads the form that came before, which everybody writes a little differently.
func (m Message) rfc3164(s string) Message {
	s = strings.TrimPrefix(s, "1 ")
	after, timed := m.oldTime(s)
	s = after
	if timed {
		if host, rest, ok := strings.Cut(s, " "); ok && host != "" && !strings.ContainsAny(host, ":[") {
			m.Host, s = host, rest
		}
	}
	s = m.tag(s)
	m.Text = strings.TrimPrefix(s, bom)
	return m
}

// oldTime takes the time off: Nov 21 10:00:00, also with a year behind the day or fractions, or RFC 3339.
func (m *Message) oldTime(s string) (rest string, ok bool) {
	if len(s) > len(stamp) && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' {
		n := len(stamp)
		if s[n] == '.' {
			for n++; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			}
		}
		if n < len(s) && s[n] == ' ' {
			m.Time = s[:n]
			return s[n+1:], true
		}
	}
	if word, after, ok := strings.Cut(s, " "); ok && len(word) >= len("2026-11-21T10:00:00Z") && word[4] == '-' && word[10] == 'T' {
		m.Time = word
		return after, true
	}
	return s, false
}

// maxTag is longer than the names of programs.
const maxTag = 64

// tag takes "program[123]: " off.
func (m *Message) tag(s string) (rest string) {
	n := strings.IndexAny(s[:min(len(s), maxTag)], " :[")
	if n <= 0 || s[n] == ' ' {
		return s
	}
	app, after, process := s[:n], s[n:], ""
	if after[0] == '[' {
		var ok bool
		if process, after, ok = strings.Cut(after[1:], "]"); !ok {
			return s
		}
	}
	if !strings.HasPrefix(after, ":") {
		return s
	}
	m.App, m.Process = app, process
	return strings.TrimPrefix(after[1:], " ")
}

// AppendJSON appends the message as an object: the members of its text, where that is an object itself, else message;
// and what its header says, below syslog.
func (m Message) AppendJSON(dst []byte) []byte {
	head := map[string]any{}
	for name, v := range map[string]string{
		"facility": m.Facility, "severity": m.Severity, "time": m.Time, "host": m.Host, "app": m.App, "process": m.Process, "id": m.ID,
	} {
		if v != "" {
			head[name] = v
		}
	}
	if len(m.Data) > 0 {
		data := map[string]map[string]string{}
		for _, e := range m.Data {
			params := map[string]string{}
			for _, p := range e.Params {
				params[p.Name] = p.Value
			}
			data[e.ID] = params
		}
		head["data"] = data
	}
	dst = append(append(dst, `{"syslog":`...), encoded(head)...)
	if text := bytes.TrimSpace([]byte(m.Text)); len(text) > 2 && text[0] == '{' && json.Valid(text) {
		if inner := bytes.TrimSpace(text[1:]); inner[0] != '}' {
			return append(append(dst, ','), inner...)
		}
	}
	dst = append(append(dst, `,"message":`...), encoded(m.Text)...)
	return append(dst, '}')
}

// encoded is v as JSON, names in order.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null") // texts, and maps of them, always can be encoded
	}
	return b
}
