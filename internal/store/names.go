package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"imwatch/event"
)

const (
	maxIndexBytes = 200 // Elasticsearch allows 255; an embedded store needs room for suffixes of file names
	maxIDBytes    = 512
)

// CheckIndex says what is wrong with the name of an index. Allowed are 1 to 200 bytes of lower-case letters, digits
// and . _ - , beginning with a letter or digit: what every store takes, and no path.
func CheckIndex(name string) error {
	if name == "" || len(name) > maxIndexBytes {
		return fmt.Errorf("index %q: a name has 1 to %d bytes", name, maxIndexBytes)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return fmt.Errorf("index %q: byte %d: found %q, allowed are a-z, 0-9 and, not first, . _ -", name, i, c)
		}
	}
	return nil
}

// CheckDoc says why no store would take the document, for what can be seen without knowing the fields.
func CheckDoc(d Doc) error {
	if err := CheckIndex(d.Index); err != nil {
		return err
	}
	if d.ID == "" || len(d.ID) > maxIDBytes {
		return fmt.Errorf("id of %d bytes: 1 to %d are allowed", len(d.ID), maxIDBytes)
	}
	if !utf8.ValidString(d.ID) {
		return fmt.Errorf("id %q: not valid UTF-8", d.ID)
	}
	if body := strings.TrimLeft(string(d.Body[:min(len(d.Body), 64)]), " \t\r\n"); body == "" || body[0] != '{' {
		return fmt.Errorf("body of %d bytes is not a JSON object", len(d.Body))
	}
	return nil
}

// MatchIndex says whether an index name is meant by a pattern: comma-separated names with '*' for any run of bytes.
func MatchIndex(pattern, name string) bool {
	for part := range strings.SplitSeq(pattern, ",") {
		if part != "" && matchStars(part, name) {
			return true
		}
	}
	return false
}

func matchStars(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

// KeyText prints a value as it stands in a Bucket's Key: one text for one value, however a line spelt it.
func KeyText(v event.Value) string { return v.Canonical() }
