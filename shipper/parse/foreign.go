package parse

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/date"
	"imwatch/shipper/parse/dissect"
	"imwatch/shipper/parse/fault"
	"imwatch/shipper/parse/grok"
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

// pattern takes text apart.
type pattern struct {
	matcher
	slots  []int // places of the values in the mapping; -1: nobody takes it
	values []string
	json   int // value that is an object of JSON; -1: none
}

type matcher interface {
	Names() []string
	Match(line string, dst []string) bool
}

// captureJSON names what of a text is an object of JSON whose members are values of the line too.
const captureJSON = "json"

func newForeign(o Options, kind string) (*foreign, error) {
	var errs []error
	dates, err := date.New(date.Options{Layouts: o.Layouts, Location: o.Location, Now: o.Now})
	if err != nil {
		errs = append(errs, fmt.Errorf("time_layouts: %w", err))
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
			errs = append(errs, err)
		}
		fields, names = implied, known
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	p.mapping, err = mapping.New(mapping.Options{Fields: fields, Dates: dates, Names: names, Rest: o.Rest, Ignore: o.Ignore})
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	p.place()
	p.visit = p.mapping.JSON
	return p, nil
}

// compile makes the patterns of a text format.
func compile(o Options, kind string) ([]pattern, error) {
	var all []pattern
	var errs []error
	for i, text := range o.Patterns {
		m, err := newMatcher(text, kind, o.Definitions)
		if err != nil {
			where := "pattern"
			if len(o.Patterns) > 1 {
				where = fmt.Sprintf("pattern[%d]", i)
			}
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
			continue
		}
		all = append(all, pattern{matcher: m, json: slices.Index(m.Names(), captureJSON)})
	}
	return all, errors.Join(errs...)
}

func newMatcher(text, kind string, definitions map[string]string) (matcher, error) {
	if kind == kindDissect {
		return dissect.New(text)
	}
	return grok.New(text, definitions)
}

// implied adds entries for the names in the patterns that are those of fields, and gives all names; nil where JSON in
// the text may have any. A name that is no field must be taken by an entry.
func (p *foreign) implied(given []mapping.Field) (fields []mapping.Field, names []string, err error) {
	fields = slices.Clone(given)
	var errs []error
	anyName, action := false, slices.ContainsFunc(given, func(f mapping.Field) bool { return f.To == "event.action" })
	for i := range p.patterns {
		anyName = anyName || p.patterns[i].json >= 0
		for _, name := range p.patterns[i].Names() {
			if slices.Contains(names, name) || name == captureJSON {
				continue
			}
			names = append(names, name)
			_, known := event.FieldByName(name)
			switch {
			case uses(given, name):
			case known || name == "timestamp" || name == "request":
				fields = append(fields, mapping.Field{To: name, From: mapping.Names{name}})
				action = action || name == "event.action"
			default:
				errs = append(errs, unknownName(name))
			}
		}
	}
	if !action { // access logs are what text usually is
		fields = append(fields, mapping.Field{To: "event.action", Value: event.ActionHTTPRequest.Code})
	}
	if anyName {
		names = nil
	}
	return fields, names, errors.Join(errs...)
}

func unknownName(name string) error {
	hint := ""
	if near := event.NearestField(name); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return fmt.Errorf("pattern: %q is no field of the contract%s, nor labels.NAME, timestamp or request, and no entry of fields takes it", name, hint)
}

// uses says whether an entry takes the name.
func uses(fields []mapping.Field, name string) bool {
	return slices.ContainsFunc(fields, func(f mapping.Field) bool {
		_, asked := f.When[name]
		return asked || slices.Contains(f.From, name)
	})
}

// place finds where the mapping wants the values of the patterns.
func (p *foreign) place() {
	for i := range p.patterns {
		x := &p.patterns[i]
		names := x.Names()
		x.slots, x.values = make([]int, len(names)), make([]string, len(names))
		for j, name := range names {
			x.slots[j] = -1
			if slot, ok := p.mapping.Slot(name); ok {
				x.slots[j] = slot
			}
		}
	}
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

// match hands the values of a pattern that fits to the mapping.
func (p *foreign) match(x *pattern, text string) bool {
	if !x.Match(text, x.values) {
		return false
	}
	p.mapping.Reset()
	if x.json >= 0 && event.Walk(x.values[x.json], p.visit) != nil {
		return false
	}
	for j, slot := range x.slots {
		if slot >= 0 {
			p.mapping.Text(slot, x.values[j])
		}
	}
	return true
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
