package parse

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/date"
	"imwatch/shipper/parse/fault"
	"imwatch/shipper/parse/mapping"
)

// foreign reads lines that are not of the contract: it takes them apart, and a mapping makes events of the parts.
type foreign struct {
	patterns []pattern // none: JSON
	mapping  *mapping.Mapping
	visit    func(path []byte, raw string)
	defaults Defaults
	stages   Stages
	ignore   bool // lines that say nothing of what has happened
	colour   *regexp.Regexp
}

func newForeign(o Options, kind string) (*foreign, error) {
	var errs []error
	dates, err := date.New(date.Options{Layouts: o.Layouts, Location: o.Location, Now: o.Now})
	if err != nil {
		errs = append(errs, fmt.Errorf("time_layouts: %w", err))
		if dates, err = date.New(date.Options{Location: o.Location, Now: o.Now}); err != nil { // further faults are told too
			return nil, errors.Join(append(errs, err)...)
		}
	}
	p := &foreign{
		defaults: o.Defaults, stages: o.Stages, ignore: o.WithoutAction == Ignore, colour: regexp.MustCompile("\x1b\\[[0-9;]*m"),
	}
	fields, names := o.Fields, []string(nil)
	if kind != kindJSON {
		if p.patterns, err = compile(o, kind); err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		implied, known, err := p.implied(o.Fields)
		if err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		fields, names = implied, known
	}
	p.mapping, err = mapping.New(mapping.Options{Fields: fields, Dates: dates, Names: names, Rest: o.Rest, Ignore: o.Ignore})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	p.place()
	p.visit = p.mapping.JSON
	return p, nil
}

// Parse takes the line apart and makes the record of the event that it is.
func (p *foreign) Parse(dst []byte, e *event.Event, line string, at Origin) ([]byte, error) {
	e.Reset()
	if len(line) > event.MaxLine {
		return dst, fault.New("too_large", "line of %d bytes, at most %d are allowed", len(line), event.MaxLine)
	}
	text := strings.ToValidUTF8(strings.TrimRight(line, " \t\r"), "\ufffd")
	if err := p.event(e, text); err != nil {
		return dst, err
	}
	complete(e, p.defaults, line, at)
	p.stages.enrich(e)
	if !p.stages.keep(e) {
		return dst, ErrSampled
	}
	p.stages.redact(e)
	return bounded(e.AppendJSON(dst), dst)
}

// event makes the event of a text.
func (p *foreign) event(e *event.Event, text string) error {
	if p.patterns == nil {
		p.mapping.Reset()
		if err := event.Walk(text, p.visit); err != nil {
			return err // told apart by FaultOf
		}
		return p.fill(e)
	}
	if strings.IndexByte(text, 0x1b) >= 0 {
		text = p.colour.ReplaceAllString(text, "")
	}
	var last error
	for i := range p.patterns {
		if !p.match(&p.patterns[i], text) {
			continue
		}
		err := p.fill(e)
		if err == nil || errors.Is(err, ErrIgnored) {
			return err
		}
		last = err
		e.Reset()
	}
	if last != nil {
		return last
	}
	return fault.New("pattern", "the line does not fit the pattern")
}

func (p *foreign) fill(e *event.Event) error {
	if p.mapping.Ignored() {
		return ErrIgnored
	}
	err := p.mapping.Fill(e)
	if p.ignore {
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Reason == "action" {
			return ErrIgnored
		}
	}
	return err
}

// complete gives an event what every one has.
func complete(e *event.Event, d Defaults, line string, at Origin) {
	if !e.Has(event.FieldEventID) {
		e.SetText(event.FieldEventID, MakeID(line, at, e.Time()))
	}
	if id := e.ID(); len(id) == 32 {
		if !e.Has(event.FieldTraceID) {
			e.SetText(event.FieldTraceID, id)
		}
		if !e.Has(event.FieldSpanID) {
			e.SetText(event.FieldSpanID, id[16:])
		}
	}
	for _, d := range [...]struct {
		id    event.FieldID
		value string
	}{
		{event.FieldServiceName, d.Service},
		{event.FieldServiceEnvironment, d.Environment},
		{event.FieldServiceNode, d.Node},
	} {
		if !e.Has(d.id) {
			e.SetText(d.id, d.value)
		}
	}
	e.SetText(event.FieldLogFilePath, at.File)
	e.SetInt(event.FieldLogOffset, at.Offset)
}
