package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"strings"

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

// field does it to one field of the contract.
func (r *Redactor) field(e *event.Event, c *rule, id event.FieldID) bool {
	v, ok := e.Get(id)
	if !ok {
		return false
	}
	f := event.FieldByID(id)
	switch {
	case c.match == nil && c.do == Drop:
		e.Unset(id)
		return true
	case f.Type == event.IP:
		e.SetText(id, network(v.Text))
		return e.Text(id) != v.Text
	}
	changed := false
	var texts []string
	v.Each(func(one event.Value) bool {
		s := r.text(c, one.Text)
		changed = changed || s != one.Text
		if s != "" {
			texts = append(texts, s)
		}
		return true
	})
	switch {
	case !changed:
	case len(texts) == 0:
		e.Unset(id)
	case f.Type == event.Text:
		e.SetText(id, strings.Join(texts, " "))
	default:
		e.SetList(id, texts...)
	}
	return changed
}

// text does it to a text.
func (r *Redactor) text(c *rule, s string) string {
	by := mask
	switch c.do {
	case Hash:
		by = r.hash
	case Drop:
		by = func(string) string { return "" }
	}
	if c.match == nil {
		return by(s)
	}
	return replaced(c.match, s, by)
}

// extra does it to a value of JSON; "" is none.
func (r *Redactor) extra(c *rule, raw string) (string, bool) {
	switch {
	case c.match == nil && c.do == Drop:
		return "", true
	case c.match == nil:
		v, _ := (event.Extra{Raw: raw}).Value()
		if v.List != nil || v.Text == "" {
			v.Text = raw
		}
		return string(event.AppendString(nil, r.text(c, v.Text))), true
	}
	return inJSON(raw, func(s string) string { return r.text(c, s) }, nil)
}

// inJSON changes the texts in a value of JSON, and masks those members of objects in it that the expression finds. What
// would be no JSON any more is masked as a whole.
func inJSON(raw string, change func(string) string, members *regexp.Regexp) (string, bool) {
	if raw[0] == '"' {
		v, _ := (event.Extra{Raw: raw}).Value()
		s := change(v.Text)
		if s == v.Text {
			return raw, false
		}
		return string(event.AppendString(nil, s)), true
	}
	s := change(raw)
	if members != nil && strings.IndexByte(raw, '{') >= 0 {
		s = replaced(members, s, quotedMask)
	}
	switch {
	case s == raw:
		return raw, false
	case !json.Valid([]byte(s)):
		return quotedMask(""), true
	}
	return s, true
}

func quotedMask(string) string { return `"` + masked + `"` }

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

// hash is the same for the same value and key, and cannot be turned back without the key.
func (r *Redactor) hash(s string) string {
	h := hmac.New(sha256.New, []byte(r.key))
	_, _ = h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// network is an address without its host: the first 24 bits of IPv4, 48 of IPv6.
func network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "0.0.0.0"
	}
	addr = addr.Unmap()
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	p, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return "0.0.0.0"
	}
	return p.Addr().String()
}
