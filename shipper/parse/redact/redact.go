package redact

import (
	"errors"
	"regexp"

	"imwatch/event"
)

// Redactor takes things out. Safe for concurrent use.
type Redactor struct {
	key     string
	rules   []rule
	builtIn *builtIn // nil: no defaults
	names   map[string]bool
	members *regexp.Regexp // of names
	letters bool
	count   func(do string)
}

// New compiles the rules. count is told what was done, once a field; nil: nobody is.
func New(cfg Config, count func(do string)) (*Redactor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Redactor{key: cfg.Key, letters: cfg.DeadLetters, count: count}
	if r.count == nil {
		r.count = func(string) {}
	}
	if cfg.Defaults {
		r.builtIn, r.names, r.members = newBuiltIn(), map[string]bool{}, defaultMembers()
		for _, name := range names() {
			r.names[name] = true
		}
	}
	var errs []error
	for _, one := range cfg.Rules {
		c, err := compile(one)
		errs = append(errs, err)
		r.rules = append(r.rules, c)
	}
	return r, errors.Join(errs...)
}

// freeText are the fields of the contract in which people and clients may have written anything.
var freeText = [...]event.FieldID{
	event.FieldURLPath, event.FieldMessage, event.FieldErrorMessage, event.FieldEventReason, event.FieldUserAgent, event.FieldErrorType,
}

// Event takes out of an event what it may not hold, and says whether there was anything.
func (r *Redactor) Event(e *event.Event) bool {
	changed := r.builtIn != nil && r.defaults(e)
	for i := range r.rules {
		if r.apply(e, &r.rules[i]) {
			changed = true
		}
	}
	return changed
}

func (r *Redactor) defaults(e *event.Event) (changed bool) {
	for _, id := range freeText {
		v := e.At(id)
		if v == nil || v.List != nil {
			continue
		}
		if s, ok := r.builtIn.apply(v.Text); ok {
			e.SetText(id, s)
			r.count(Mask)
			changed = true
		}
	}
	for i := 0; i < len(e.Extras()); i++ {
		x := e.Extras()[i]
		if r.names[plain(x.Name)] {
			e.SetExtra(x.Name, "")
			r.count(Drop)
			changed = true
			i--
			continue
		}
		if s, ok := inJSON(x.Raw, func(s string) string { s, _ = r.builtIn.apply(s); return s }, r.members); ok {
			e.SetExtra(x.Name, s)
			r.count(Mask)
			changed = true
		}
	}
	return changed
}

// apply does what one rule says.
func (r *Redactor) apply(e *event.Event, c *rule) (changed bool) {
	done := func(ok bool) {
		if ok {
			changed = true
			r.count(c.do)
		}
	}
	if c.all {
		for id := range event.FieldID(event.NumFields) {
			f := event.FieldByID(id)
			if (f.Type == event.Keyword || f.Type == event.Text) && (f.Group == event.Optional || id == event.FieldMessage) {
				done(r.field(e, c, id))
			}
		}
	}
	for _, id := range c.fields {
		done(r.field(e, c, id))
	}
	for i := 0; i < len(e.Extras()); i++ {
		x := e.Extras()[i]
		if !c.all && !named(c.others, x.Name) {
			continue
		}
		raw, ok := r.extra(c, x.Raw)
		if ok {
			e.SetExtra(x.Name, raw)
			if raw == "" {
				i--
			}
		}
		done(ok)
	}
	return changed
}

func named(all []*regexp.Regexp, name string) bool {
	for _, re := range all {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}

// Original takes out of a line that is no event, and of what is said about it, what no event may hold, where that is
// asked for.
func (r *Redactor) Original(line string) string {
	if !r.letters {
		return line
	}
	before := line
	if r.builtIn != nil {
		line, _ = r.builtIn.apply(line)
		line = replaced(r.members, line, quotedMask)
	}
	for i := range r.rules {
		c := &r.rules[i]
		if c.match != nil {
			line = r.text(c, line)
		} else if c.member != nil {
			line = replaced(c.member, line, quotedMask)
		}
	}
	if line != before {
		r.count(Mask)
	}
	return line
}
