package shiptest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"imwatch/event"
)

// Output writes results.
type Output interface {
	line(r result) error
	test(o outcome) error
}

// Text writes for people.
func Text(w io.Writer) Output { return textOutput{w} }

// JSON writes an object a line.
func JSON(w io.Writer) Output {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return jsonOutput{enc}
}

type textOutput struct{ w io.Writer }

// usual are the fields that every event has and nobody looks for in a sample.
func usual(id event.FieldID) bool {
	switch id {
	case event.FieldECSVersion, event.FieldEventKind, event.FieldLogFilePath, event.FieldLogOffset:
		return true
	}
	return false
}

func (o textOutput) line(r result) error {
	p := printer{w: o.w}
	at := fmt.Sprintf("%s:%d", r.name, r.number)
	if r.lines > 1 {
		at = fmt.Sprintf("%s-%d", at, r.number+r.lines-1)
	}
	switch r.result {
	case resultEvent:
		p.printf("%s: event\n", at)
		for _, f := range event.Fields() {
			if v, ok := r.event.Get(f.ID); ok && !usual(f.ID) {
				p.printf("    %-28s %s\n", f.Name, text(v))
			}
		}
		for _, x := range r.event.Extras() {
			p.printf("    %-28s %s\n", x.Name, x.Raw)
		}
	case resultDeadLetter:
		p.printf("%s: dead letter, %s: %s\n    %q\n", at, r.fault.Reason, r.fault.Detail, r.original)
	default:
		p.printf("%s: %s\n", at, r.result)
	}
	return p.err
}

func (o textOutput) test(t outcome) error {
	p := printer{w: o.w}
	if len(t.failures) == 0 {
		p.printf("ok    %s: %s\n", t.source, t.test)
		return p.err
	}
	p.printf("FAIL  %s: %s\n    line: %s\n", t.source, t.test, t.line)
	for _, f := range t.failures {
		p.printf("    %s\n", f)
	}
	if t.got != "" {
		p.printf("    got: %s\n", t.got)
	}
	return p.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

type jsonOutput struct{ enc *json.Encoder }

func (o jsonOutput) line(r result) error {
	out := struct {
		Line     int             `json:"line"`
		Lines    int             `json:"lines,omitempty"` // where several belong together
		Offset   int64           `json:"offset"`
		Result   string          `json:"result"`
		Event    json.RawMessage `json:"event,omitempty"`
		Reason   string          `json:"reason,omitempty"`
		Detail   string          `json:"detail,omitempty"`
		Original string          `json:"original,omitempty"`
		Encoding string          `json:"encoding,omitempty"`
	}{r.number, 0, r.offset, r.result, r.record, r.fault.Reason, r.fault.Detail, r.original, ""}
	if r.lines > 1 {
		out.Lines = r.lines
	}
	if !utf8.ValidString(r.original) {
		out.Original, out.Encoding = base64.StdEncoding.EncodeToString([]byte(r.original)), "base64"
	}
	return o.enc.Encode(out) //nolint:wrapcheck // the caller says what was done
}

func (o jsonOutput) test(t outcome) error {
	if len(t.failures) == 0 {
		t.line, t.got = "", ""
	}
	return o.enc.Encode(struct { //nolint:wrapcheck // the caller says what was done
		Source   string   `json:"source"`
		Test     string   `json:"test"`
		OK       bool     `json:"ok"`
		Failures []string `json:"failures,omitempty"`
		Line     string   `json:"line,omitempty"`
		Got      string   `json:"got,omitempty"`
	}{t.source, t.test, len(t.failures) == 0, t.failures, t.line, t.got})
}
