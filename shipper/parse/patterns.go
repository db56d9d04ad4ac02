package parse

import (
	"errors"
	"fmt"
	"slices"

	"imwatch/event"
	"imwatch/shipper/parse/dissect"
	"imwatch/shipper/parse/grok"
	"imwatch/shipper/parse/mapping"
)

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
