package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"

	"imwatch/event"
)

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
