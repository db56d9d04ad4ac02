package event

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxLine is the largest line that Decode takes, in bytes, as the contract says.
const MaxLine = 64 << 10

// maxDepth bounds how deep objects may be nested: the contract's names have four steps, free ones may have more.
const maxDepth = 16

// DecodeError says why a line is not an event, and where. Retrying never helps.
type DecodeError struct {
	Offset int    // byte in the line
	Field  string // the field concerned, "" for the JSON itself
	Reason string // class, for metrics and dead letters: too_large, utf8, json, type, duplicate, missing
	Detail string // what was found, what is allowed
}

// Error prints place, field and detail.
func (e *DecodeError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("byte %d: %s: %s", e.Offset, e.Field, e.Detail)
	}
	return fmt.Sprintf("byte %d: %s", e.Offset, e.Detail)
}

// Decode reads one line into e, which is emptied first. Nested objects, dotted names and both in one line are taken;
// null and [] are as if absent; a number sent as a string is the number; unknown fields are kept. Every fault is a
// *DecodeError. line may be reused afterwards. One allocation for a line without escapes, besides those of e's
// growth.
func Decode(line []byte, e *Event) error {
	if len(line) > MaxLine {
		return &DecodeError{Reason: "too_large", Detail: fmt.Sprintf("line of %d bytes, at most %d are allowed", len(line), MaxLine)}
	}
	return DecodeString(string(line), e)
}

// DecodeString is Decode for a line that is a string already; e then shares its memory.
func DecodeString(line string, e *Event) error {
	e.Reset()
	if len(line) > MaxLine {
		return tooLarge(line)
	}
	if !utf8.ValidString(line) {
		return &DecodeError{Offset: invalidUTF8(line), Reason: "utf8", Detail: "not valid UTF-8"}
	}
	d := decoder{scanner: scanner{s: line}, e: e}
	d.space()
	if err := d.object(root, "", 0); err != nil {
		return err
	}
	d.space()
	if d.i != len(line) {
		return d.fail("only one JSON object is allowed on a line")
	}
	if !e.Has(FieldTimestamp) {
		return &DecodeError{Field: "@timestamp", Reason: "missing", Detail: "an event needs an RFC 3339 @timestamp"}
	}
	return nil
}

func tooLarge(line string) error {
	return &DecodeError{Reason: "too_large", Detail: fmt.Sprintf("line of %d bytes, at most %d are allowed", len(line), MaxLine)}
}

func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return 0
}

type decoder struct {
	scanner
	e *Event
}

// object reads the members of an object whose names stand below n; n is nil inside objects that the contract does
// not have, whose name is then in prefix.
func (d *decoder) object(n *node, prefix string, depth int) error {
	if depth > maxDepth {
		return d.fail("nested deeper than %d objects", maxDepth)
	}
	if err := d.expect('{'); err != nil {
		return err
	}
	d.space()
	if d.peek() == '}' {
		d.i++
		return nil
	}
	for {
		d.space()
		key, err := d.str()
		if err != nil {
			return err
		}
		d.space()
		if err := d.expect(':'); err != nil {
			return err
		}
		d.space()
		if err := d.member(n, prefix, key, depth); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.i++
		case '}':
			d.i++
			return nil
		default:
			return d.fail("found %s, expected ',' or '}'", d.found())
		}
	}
}

func (d *decoder) member(n *node, prefix, key string, depth int) error {
	var next *node
	if n != nil && !n.free {
		next = n.descend(key)
	}
	if next != nil && next.field != NoField {
		return d.field(next.field)
	}
	if next == nil {
		if prefix != "" {
			key = prefix + "." + key
		}
		return d.unknown(key, depth)
	}
	name := next.name // not made of prefix and key, which would have to be allocated
	switch d.peek() {
	case '{':
		return d.object(next, name, depth+1)
	case 'n':
		return d.skip(depth)
	}
	return &DecodeError{Offset: d.i, Field: name, Reason: "type", Detail: "found " + d.found() + ", expected an object"}
}

func (d *decoder) unknown(name string, depth int) error {
	if d.peek() == '{' {
		j := d.i + 1
		for j < len(d.s) && isSpace(d.s[j]) {
			j++
		}
		if j < len(d.s) && d.s[j] != '}' {
			return d.object(nil, name, depth+1)
		}
	}
	start := d.i
	if err := d.skip(depth); err != nil {
		return err
	}
	if raw := d.s[start:d.i]; raw != "null" {
		d.e.extra = append(d.e.extra, Extra{Name: name, Raw: raw})
	} else {
		d.e.nulls = true
	}
	return nil
}

// field reads the value of a field of the table.
func (d *decoder) field(id FieldID) error {
	start := d.i
	if d.e.Has(id) {
		return &DecodeError{Offset: start, Field: table[id].Name, Reason: "duplicate", Detail: "given twice in one line"}
	}
	if t := table[id].Type; t == GeoPoint || t == Flattened {
		return d.rawField(id)
	}
	if d.peek() != '[' {
		v := d.e.add(id)
		ok, err := d.scalar(id, v)
		if !ok {
			d.e.drop(id)
		}
		return err
	}
	list, err := d.list(id)
	if err != nil || len(list) == 0 {
		return err
	}
	v := d.e.add(id)
	*v = list[0]
	if len(list) > 1 {
		v.List = list
	}
	return nil
}

// list reads the values of a list. They lie in the event's memory.
func (d *decoder) list(id FieldID) ([]Value, error) {
	d.i++
	d.space()
	if d.peek() == ']' {
		d.i++
		return nil, nil
	}
	start := len(d.e.lists)
	for {
		d.space()
		d.e.lists = append(d.e.lists, Value{})
		ok, err := d.scalar(id, &d.e.lists[len(d.e.lists)-1])
		if err != nil {
			return nil, err
		}
		if !ok {
			d.e.lists = d.e.lists[:len(d.e.lists)-1]
		}
		d.space()
		switch d.peek() {
		case ',':
			d.i++
		case ']':
			d.i++
			return d.e.lists[start:len(d.e.lists):len(d.e.lists)], nil
		default:
			return nil, d.fail("found %s, expected ',' or ']'", d.found())
		}
	}
}

// rawField keeps a geo_point or an object of free keys as JSON.
func (d *decoder) rawField(id FieldID) error {
	start := d.i
	if err := d.skip(0); err != nil {
		return err
	}
	raw := d.s[start:d.i]
	if raw == "null" {
		return nil
	}
	v := Value{Type: table[id].Type, Text: raw}
	if v.Type == GeoPoint {
		if _, _, ok := v.Point(); !ok {
			return d.typeError(start, id, raw)
		}
	} else if raw[0] != '{' {
		return d.typeError(start, id, raw)
	}
	d.e.Set(id, v)
	return nil
}

// scalar reads one value into v and fits it to the field's type; ok is false for null, and with an error.
func (d *decoder) scalar(id FieldID, v *Value) (ok bool, err error) {
	start, t := d.i, table[id].Type
	switch c := d.peek(); {
	case c == '"':
		s, err := d.str()
		if err != nil {
			return false, err
		}
		if !v.parse(t, s) {
			return false, d.typeError(start, id, d.s[start:d.i])
		}
		return true, nil
	case c == 'n':
		return false, d.literal("null")
	case c == 't' || c == 'f':
		word := "true"
		if c == 'f' {
			word = "false"
		}
		if err := d.literal(word); err != nil {
			return false, err
		}
		if !v.parse(t, word) || t == IP || t == Date {
			return false, d.typeError(start, id, word)
		}
		return true, nil
	case c == '-' || c >= '0' && c <= '9':
		s, err := d.number()
		if err != nil {
			return false, err
		}
		if !v.parse(t, s) || t == Bool {
			return false, d.typeError(start, id, s)
		}
		return true, nil
	}
	return false, d.typeError(start, id, d.found())
}

func (d *decoder) typeError(at int, id FieldID, found string) error {
	if len(found) > 60 {
		found = strings.ToValidUTF8(found[:60], "") + "…"
	}
	return &DecodeError{Offset: at, Field: table[id].Name, Reason: "type", Detail: "found " + found + ", expected " + expected(table[id].Type)}
}

func expected(t Type) string {
	switch t {
	case Long:
		return "an integer"
	case Float:
		return "a number"
	case Bool:
		return "true or false"
	case Date:
		return "an RFC 3339 date between 1678 and 2262"
	case IP:
		return "an IP address"
	case GeoPoint:
		return `{"lat":…,"lon":…}`
	case Flattened:
		return "an object"
	}
	return "a string"
}

// Parse reads a value of type t from its text form, as it stands in a line or in a query.
func Parse(t Type, s string) (v Value, ok bool) {
	if ok = v.parse(t, s); !ok {
		return Value{}, false
	}
	return v, true
}

// parse is Parse in place, into an empty value.
func (v *Value) parse(t Type, s string) bool {
	switch t {
	case Keyword, Text:
	case Long:
		n, ok := parseLong(s)
		*v = n
		return ok
	case Float:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(s, "xX_pP") {
			return false
		}
		v.bits = math.Float64bits(f)
	case Bool:
		if s != "true" && s != "false" {
			return false
		}
		*v = BoolValue(s == "true")
		return true
	case Date:
		t, ok := parseTime(s)
		if !ok {
			return false
		}
		v.bits = uint64(t.UnixNano())
	case IP:
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return false
		}
	}
	v.Type, v.Text = t, s
	return true
}

// parseLong takes an integer, or a number with a fraction or exponent, which is cut as Elasticsearch does.
func parseLong(s string) (Value, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && s[0] != '+' {
		return Value{Type: Long, Text: s, bits: uint64(n)}, true
	}
	if whole, fraction, ok := strings.Cut(s, "."); ok && strings.Trim(fraction, "0123456789") == "" {
		if n, err := strconv.ParseInt(whole, 10, 64); err == nil { // exact also where a float would not be
			return LongValue(n), true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(f) >= 1<<63 || math.IsNaN(f) || strings.ContainsAny(s, "xX_pP") {
		return Value{}, false
	}
	return LongValue(int64(f)), true
}
