package parse

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/go-grok"

	"imwatch/event"
)

// TextOptions say how lines of text are read.
type TextOptions struct {
	// Pattern is a grok pattern. Its names are fields of the contract, labels.*, or timestamp (needed), request (the
	// first line of an HTTP request) and "-" free parts without a name.
	Pattern string
	// Layout is the form of the timestamp as package time writes it. "": the usual ones are tried.
	Layout string
	// Location is where times without a zone are. nil: UTC.
	Location *time.Location
	Defaults Defaults
}

// Text reads lines of text with a grok pattern into events of dataset im.http.
type Text struct {
	opts   TextOptions
	grok   *grok.Grok
	names  []string
	layout string // the one that fitted last
	colour *regexp.Regexp
}

var _ Parser = (*Text)(nil)

const (
	captureTime    = "timestamp"
	captureRequest = "request"
)

// NewText compiles the pattern. An error says which name or definition is unknown.
func NewText(o TextOptions) (*Text, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	names, err := captures(o.Pattern)
	if err != nil {
		return nil, err
	}
	g := grok.New()
	if err := errors.Join(g.AddPatterns(tight()), g.Compile(o.Pattern, true)); err != nil {
		return nil, fmt.Errorf("compiling the pattern %q: %w", o.Pattern, err)
	}
	return &Text{opts: o, grok: g, names: names, colour: regexp.MustCompile("\x1b\\[[0-9;]*m")}, nil
}

// captures gives the names in a pattern, in order, each checked.
func captures(pattern string) ([]string, error) {
	var names []string
	for _, m := range regexp.MustCompile(`%{\w+:([\w.]+)(?::\w+)?}`).FindAllStringSubmatch(pattern, -1) {
		name := m[1]
		if _, known := event.FieldByName(name); !known && name != captureTime && name != captureRequest {
			return nil, fmt.Errorf("reading the pattern: %q is no field of the contract (nearest: %s), nor labels.*, %s or %s",
				name, event.NearestField(name), captureTime, captureRequest)
		}
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("reading the pattern: %q is taken twice", name)
		}
		names = append(names, name)
	}
	if !slices.Contains(names, captureTime) {
		return nil, fmt.Errorf("reading the pattern: nothing in it is named %s, and an event needs its time", captureTime)
	}
	return names, nil
}

// Parse takes the line apart. Level and outcome follow from the status where the pattern does not give them.
func (p *Text) Parse(dst []byte, e *event.Event, line string, at Origin) ([]byte, error) {
	e.Reset()
	if len(line) > event.MaxLine {
		return dst, fault("too_large", "line of %d bytes, at most %d are allowed", len(line), event.MaxLine)
	}
	text := strings.TrimSuffix(line, "\r")
	if strings.IndexByte(text, 0x1b) >= 0 {
		text = p.colour.ReplaceAllString(text, "")
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	found, err := p.grok.ParseString(text)
	if err != nil || len(found) == 0 {
		return dst, fault("pattern", "the line does not fit the pattern")
	}
	when, err := p.time(found[captureTime])
	if err != nil {
		return dst, err
	}
	e.Begin(event.ActionHTTPRequest, when)
	for _, name := range p.names {
		if v := found[name]; v != "" && v != "-" && name != captureTime {
			if err := set(e, name, v); err != nil {
				return dst, err
			}
		}
	}
	p.complete(e, line, at)
	return bounded(e.AppendJSON(dst), dst)
}

func (p *Text) time(s string) (time.Time, error) {
	if p.opts.Layout != "" {
		return p.try(s, p.opts.Layout)
	}
	if v, ok := event.Parse(event.Date, s); ok {
		return v.Time(), nil
	}
	if p.layout != "" {
		if t, err := p.try(s, p.layout); err == nil {
			return t, nil
		}
	}
	for _, l := range layouts() {
		if t, err := p.try(s, l); err == nil {
			p.layout = l
			return t, nil
		}
	}
	return time.Time{}, fault("time", "timestamp: %q is in no known form; set time_layout", s)
}

func (p *Text) try(s, layout string) (time.Time, error) {
	t, err := time.ParseInLocation(layout, s, p.opts.Location)
	if err != nil {
		return t, fault("time", "timestamp: %q is not of the form %q", s, layout)
	}
	if y := t.Year(); y < 1700 || y > 2200 {
		return t, fault("time", "timestamp: the year %d is out of range", y)
	}
	return t.UTC(), nil
}

// set gives the event a value that was found, in the form that the field needs.
func set(e *event.Event, name, v string) error {
	f, _ := event.FieldByName(name)
	switch {
	case name == captureRequest:
		request(e, v)
		return nil
	case f.ID == event.NoField:
		e.SetLabel(strings.TrimPrefix(name, event.LabelPrefix), v)
		return nil
	case f.ID == event.FieldURLPath:
		e.SetText(f.ID, path(v))
		return nil
	case f.ID == event.FieldEventDuration:
		d, ok := duration(v)
		if !ok {
			return fault("type", "%s: found %q, expected seconds or a duration with its unit", name, v)
		}
		e.SetInt(f.ID, int64(d))
		return nil
	case f.ID == event.FieldClientIP:
		v = withoutPort(v)
	}
	val, ok := event.Parse(f.Type, v)
	if !ok {
		return fault("type", "%s: found %q, expected a %s", name, v, f.Type)
	}
	e.Set(f.ID, val)
	return nil
}

func withoutPort(s string) string {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().String()
	}
	return s
}

// request takes the method, path and version of "GET /a?b HTTP/1.1". What is none (a TLS greeting sent to a plain
// port) has neither.
func request(e *event.Event, v string) {
	method, rest, ok := strings.Cut(v, " ")
	if !ok {
		return
	}
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || !strings.HasPrefix(proto, "HTTP/") {
		return
	}
	e.SetText(event.FieldHTTPMethod, method)
	e.SetText(event.FieldURLPath, path(target))
	e.SetText(event.FieldHTTPVersion, strings.TrimPrefix(proto, "HTTP/"))
}

// path is without the query, in which tokens may stand that belong in no event.
func path(v string) string {
	if strings.IndexByte(v, '\\') >= 0 {
		if s, err := strconv.Unquote(`"` + v + `"`); err == nil {
			v = s
		}
	}
	v, _, _ = strings.Cut(v, "?")
	return v
}

func duration(v string) (time.Duration, bool) {
	if d, err := time.ParseDuration(v); err == nil && d >= 0 {
		return d, true
	}
	s, err := strconv.ParseFloat(v, 64)
	if err != nil || !(s >= 0 && s < 1e9) {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}

// complete fills in what follows from the rest.
func (p *Text) complete(e *event.Event, line string, at Origin) {
	level, outcome := event.LevelInfo, event.OutcomeUnknown
	switch status := e.Int(event.FieldHTTPStatus); {
	case status >= 500:
		level, outcome = event.LevelError, event.OutcomeFailure
	case status >= 400:
		outcome = event.OutcomeFailure
	case status > 0:
		outcome = event.OutcomeSuccess
	}
	if !slices.Contains(p.names, "log.level") && !slices.Contains(p.names, "level") {
		e.SetText(event.FieldLogLevel, level)
	}
	if !slices.Contains(p.names, "event.outcome") {
		e.SetText(event.FieldEventOutcome, outcome)
	}
	if !e.Has(event.FieldEventID) {
		e.SetText(event.FieldEventID, MakeID(line, at, e.Time()))
	}
	if id := e.ID(); !e.Has(event.FieldTraceID) && len(id) == 32 {
		e.SetText(event.FieldTraceID, id)
		e.SetText(event.FieldSpanID, id[16:])
	}
	for _, d := range [...]struct {
		id    event.FieldID
		value string
	}{
		{event.FieldServiceName, p.opts.Defaults.Service},
		{event.FieldServiceEnvironment, p.opts.Defaults.Environment},
		{event.FieldServiceNode, p.opts.Defaults.Node},
	} {
		if !e.Has(d.id) {
			e.SetText(d.id, d.value)
		}
	}
	e.SetText(event.FieldLogFilePath, at.File)
	e.SetInt(event.FieldLogOffset, at.Offset)
}
