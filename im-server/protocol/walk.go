package protocol

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// fields calls f for every field of the object obj, which must be valid JSON, with its unescaped key and its raw
// value. A key that stands twice is a fault. path is put before the keys in faults.
func fields(obj []byte, path string, f func(key string, raw []byte) error) error {
	var room [maxFields]string // on the stack: an object's keys cost nothing
	seen := room[:0]
	i := blank(obj, 0) + 1 // past the brace
	for {
		i = blank(obj, i)
		if obj[i] == '}' {
			return nil
		}
		if obj[i] == ',' {
			i = blank(obj, i+1)
		}
		end := skip(obj, i)
		key := commonKey(obj[i+1 : end-1])
		if key == "" {
			var err error
			if key, err = str(obj[i:end], path); err != nil {
				return err
			}
		}
		if slices.Contains(seen, key) {
			return fault(CodeDuplicateField, path+clip([]byte(key)), "stands twice")
		}
		if len(seen) == maxFields {
			return fault(CodeUnknownField, path+clip([]byte(key)), "more than %d fields in one object", maxFields)
		}
		seen = append(seen, key)
		i = blank(obj, blank(obj, end)+1) // past the colon
		end = skip(obj, i)
		if err := f(key, obj[i:end:end]); err != nil {
			return err
		}
		i = end
	}
}

// commonKey gives a key that stands in most envelopes without making a string of it; "": it is another.
func commonKey(b []byte) string {
	for _, key := range [...]string{"v", "type", "id", "payload", "to", "room", "body", "seq", "ts", "data"} {
		if string(b) == key {
			return key
		}
	}
	return ""
}

// elements calls f for every entry of the list that raw must be.
func elements(raw []byte, path string, f func(i int, raw []byte) error) error {
	if raw[0] != '[' {
		return fault(CodeBadField, path, "must be a list, not %s", kind(raw))
	}
	i := blank(raw, 1)
	for n := 0; raw[i] != ']'; n++ {
		if raw[i] == ',' {
			i = blank(raw, i+1)
		}
		end := skip(raw, i)
		if err := f(n, raw[i:end:end]); err != nil {
			return err
		}
		i = blank(raw, end)
	}
	return nil
}

// maxFields bounds the search for duplicates: no object of the protocol has so many fields.
const maxFields = 32

func blank(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// skip gives the index after the value that begins at i. It does not recurse, so depth is no danger.
func skip(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default:
			for i < len(b) && !endsWord(b[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// endsWord says whether c stands behind a number, true, false or null.
func endsWord(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

func skipString(b []byte, i int) int {
	for i = plain(b, i+1); b[i] != '"'; i = plain(b, i+2) { // past a backslash and what it is before
	}
	return i + 1
}

// str reads a string value.
func str(raw []byte, field string) (string, error) {
	if raw[0] != '"' {
		return "", fault(CodeBadField, field, "must be a string, not %s", kind(raw))
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return "", fault(CodeBadField, field, "not a JSON string: %v", err)
			}
			return s, nil
		}
	}
	return string(inner), nil
}

// name reads a string that is printed and compared: of limited length, without control characters, not empty.
func name(raw []byte, field string, most int) (string, error) {
	s, err := str(raw, field)
	if err != nil {
		return "", err
	}
	return s, checkName(s, field, most)
}

func checkName(s, field string, most int) error {
	if s == "" || len(s) > most {
		return fault(CodeBadField, field, "must have 1 to %d bytes, not %d", most, len(s))
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return fault(CodeBadField, field, "must not have control characters")
		}
	}
	return nil
}

// natural reads a whole number from 0 to 2^53-1, which every JSON reader keeps exactly.
func natural(raw []byte, field string) (int64, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 0 || n >= 1<<53 || raw[0] == '+' {
		return 0, fault(CodeBadField, field, "must be a whole number from 0 to 2^53-1, not %s", clip(raw))
	}
	return n, nil
}

func kind(raw []byte) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendEscaped(dst, s)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return append(dst, `""`...)
	}
	return append(dst, b...)
}

// CheckName says whether s may be the name of a user or a room: 1 to MaxName bytes of UTF-8 without control characters.
// The error is a *DecodeError.
func CheckName(s string) error { return checkName(s, "name", MaxName) }
