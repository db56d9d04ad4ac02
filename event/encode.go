package event

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object with nested objects, fields in the table's order, free fields
// after them under their dotted names. It allocates nothing but dst's growth.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	var open []string // the objects that are open
	var last *layout
	first := true
	for id := range e.at {
		p := e.at[id]
		if p == 0 {
			continue
		}
		l := &layouts[id]
		keep := 0
		if last != nil {
			for keep < len(open) && keep < len(l.parents) && open[keep] == l.parents[keep] {
				keep++
			}
			for range open[keep:] {
				dst = append(dst, '}')
			}
		}
		if !first {
			dst = append(dst, ',')
		}
		for _, parent := range l.parents[keep:] {
			dst = append(dst, '"')
			dst = append(dst, parent...)
			dst = append(dst, `":{`...)
		}
		open, last, first = l.parents, l, false
		dst = append(dst, '"')
		dst = append(dst, l.leaf...)
		dst = append(dst, `":`...)
		dst = appendValue(dst, e.vals[p-1])
	}
	for range open {
		dst = append(dst, '}')
	}
	for i := range e.extra {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, e.extra[i].Name)
		dst = append(dst, ':')
		dst = append(dst, e.extra[i].Raw...)
	}
	return append(dst, '}')
}

// AppendValue appends one field's value as JSON; null where the event lacks it.
func (e *Event) AppendValue(dst []byte, id FieldID) []byte {
	if p := e.at[id]; p != 0 {
		return appendValue(dst, e.vals[p-1])
	}
	return append(dst, "null"...)
}

// MarshalJSON is AppendJSON for encoding/json.
func (e *Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// UnmarshalJSON is Decode for encoding/json.
func (e *Event) UnmarshalJSON(b []byte) error { return Decode(b, e) }

// layout is a name cut at its dots.
type layout struct {
	parents []string
	leaf    string
}

// layouts is made from the table once and never changed.
var layouts = func() (ls [numFields]layout) {
	for i := range table {
		parts := strings.Split(table[i].Name, ".")
		ls[i] = layout{parents: parts[:len(parts)-1], leaf: parts[len(parts)-1]}
	}
	return ls
}()

func appendValue(dst []byte, v Value) []byte {
	if v.List != nil {
		dst = append(dst, '[')
		for i := range v.List {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, v.List[i])
		}
		return append(dst, ']')
	}
	switch v.Type {
	case Long, Float, Bool, Flattened:
		return appendBare(dst, v.Text)
	case GeoPoint:
		if v.Text != "" && (v.Text[0] == '{' || v.Text[0] == '[' || v.Text[0] == '"') {
			return append(dst, v.Text...)
		}
	}
	return appendString(dst, v.Text)
}

// appendBare writes a number as it came; what JSON does not allow bare (".5" sent as a string) is quoted again.
func appendBare(dst []byte, s string) []byte {
	d := scanner{s: s}
	if d.skip(0) == nil && d.i == len(s) {
		return append(dst, s...)
	}
	return appendString(dst, s)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// Value gives the value as a keyword, or a list of them; null, [] and objects are none. It allocates nothing for a
// plain string or number.
func (x Extra) Value() (Value, bool) { return extraValue(x.Raw) }

// extraValue reads a free field as keywords; objects have no value.
func extraValue(raw string) (Value, bool) {
	switch raw[0] {
	case '{':
		return Value{}, false
	case '"':
		d := scanner{s: raw}
		s, err := d.str()
		return KeywordValue(s), err == nil
	case '[':
		var parts []json.RawMessage
		if json.Unmarshal([]byte(raw), &parts) != nil {
			return Value{}, false
		}
		var list []Value
		for _, p := range parts {
			if v, ok := extraValue(string(p)); ok && string(p) != "null" {
				list = append(list, v)
			}
		}
		if len(list) == 0 {
			return Value{}, false
		}
		v := list[0]
		if len(list) > 1 {
			v.List = list
		}
		return v, true
	}
	return KeywordValue(raw), true
}
