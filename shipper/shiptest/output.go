package shiptest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"imwatch/event"
	"imwatch/shipper"
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
	at := fmt.Sprintf("%s:%d", r.name, r.Line)
	if r.Lines > 1 {
		at = fmt.Sprintf("%s-%d", at, r.Line+r.Lines-1)
	}
	switch r.Result {
	case shipper.TriedEvent:
		cut := ""
		if r.Cut {
			cut = ", cut"
		}
		p.printf("%s: event%s\n", at, cut)
		for _, f := range event.Fields() {
			if v, ok := r.event.Get(f.ID); ok && !usual(f.ID) {
				p.printf("    %-28s %s\n", f.Name, clip(text(v)))
			}
		}
		for _, x := range r.event.Extras() {
			p.printf("    %-28s %s\n", x.Name, clip(x.Raw))
		}
	case shipper.TriedDeadLetter:
		p.printf("%s: dead letter, %s: %s\n    %s\n", at, r.Reason, r.Detail, clip(strconv.Quote(r.Original)))
	default:
		p.printf("%s: %s\n", at, r.Result)
	}
	return p.err
}

// shown is how many bytes of a value are shown to people.
const shown = 4 << 10

// clip shortens what nobody reads to its end.
func clip(text string) string {
	if len(text) <= shown {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:shown], ""), len(text))
}

func (o textOutput) test(t outcome) error {
	p := printer{w: o.w}
	if len(t.failures) == 0 {
		p.printf("ok    %s: %s\n", t.source, t.test)
		return p.err
	}
	place := ""
	if t.place != "" {
		place = t.place + ": "
	}
	p.printf("FAIL  %s%s: %s\n    line: %s\n", place, t.source, t.test, t.line)
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
		Cut      bool            `json:"cut,omitempty"`
		Event    json.RawMessage `json:"event,omitempty"`
		ID       string          `json:"id,omitempty"` // of the dead letter
		Reason   string          `json:"reason,omitempty"`
		Detail   string          `json:"detail,omitempty"`
		Part     int             `json:"part,omitempty"`
		Original string          `json:"original,omitempty"`
		Encoding string          `json:"encoding,omitempty"`
	}{r.Line, 0, r.Offset, r.Result, r.Cut, r.Record, r.ID, r.Reason, r.Detail, r.Part, r.Original, ""}
	if r.Lines > 1 {
		out.Lines = r.Lines
	}
	if !utf8.ValidString(r.Original) {
		out.Original, out.Encoding = base64.StdEncoding.EncodeToString([]byte(r.Original)), "base64"
	}
	return o.enc.Encode(out) //nolint:wrapcheck // the caller says what was done
}

func (o jsonOutput) test(t outcome) error {
	if len(t.failures) == 0 {
		t.line, t.got = "", ""
	}
	return o.enc.Encode(struct { //nolint:wrapcheck // the caller says what was done
		Place    string   `json:"place,omitempty"` // file:line:column
		Source   string   `json:"source"`
		Test     string   `json:"test"`
		OK       bool     `json:"ok"`
		Failures []string `json:"failures,omitempty"`
		Line     string   `json:"line,omitempty"`
		Got      string   `json:"got,omitempty"`
	}{t.place, t.source, t.test, len(t.failures) == 0, t.failures, t.line, t.got})
}
