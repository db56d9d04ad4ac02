package oncall

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// property is one content line of an iCalendar file (RFC 5545, 3.1): NAME;PARAM=VALUE:TEXT.
type property struct {
	line   int // in the file, from 1
	name   string
	params map[string][]string
	value  string
}

// param gives the first value of a parameter, "" where there is none.
func (p *property) param(name string) string {
	if v := p.params[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// fault says where an error is.
func (p *property) fault(err error) error { return fmt.Errorf("line %d: %s: %w", p.line, p.name, err) }

// properties reads content lines. A line that begins with a blank goes on with the one before it.
func properties(text string) ([]property, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the file is not UTF-8")
	}
	var out []property
	var open strings.Builder
	begun := 0
	flush := func() error {
		if begun == 0 {
			return nil
		}
		p, err := parseProperty(open.String())
		if err != nil {
			return fmt.Errorf("line %d: %w", begun, err)
		}
		p.line, begun = begun, 0
		out = append(out, p)
		return nil
	}
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		n++
		line = strings.TrimSuffix(line, "\r")
		if begun > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			open.WriteString(line[1:])
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		if strings.TrimSpace(line) != "" {
			open.Reset()
			open.WriteString(line)
			begun = n
		}
	}
	return out, flush()
}

func parseProperty(s string) (p property, err error) {
	i := strings.IndexAny(s, ";:")
	if i <= 0 {
		return p, fmt.Errorf("found %q, expected NAME:VALUE", clip(s))
	}
	p.name, p.params = strings.ToUpper(s[:i]), map[string][]string{}
	rest := s[i:]
	for strings.HasPrefix(rest, ";") {
		eq := strings.IndexByte(rest, '=')
		if eq < 2 || strings.ContainsAny(rest[1:eq], ";:\"") {
			return p, fmt.Errorf("found %q, expected ;PARAMETER=VALUE", clip(rest))
		}
		name := strings.ToUpper(rest[1:eq])
		rest = rest[eq:]
		for first := true; first || strings.HasPrefix(rest, ","); first = false {
			var value string
			if value, rest, err = paramValue(rest[1:]); err != nil {
				return p, err
			}
			p.params[name] = append(p.params[name], value)
		}
	}
	if !strings.HasPrefix(rest, ":") {
		return p, fmt.Errorf("found %q, expected a colon", clip(rest))
	}
	p.value = rest[1:]
	return p, nil
}

// paramValue cuts one value of a parameter off, which may stand in quotes.
func paramValue(s string) (value, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return "", "", fmt.Errorf("found %q, expected a closing quote", clip(s))
		}
		return s[1 : end+1], s[end+2:], nil
	}
	end := strings.IndexAny(s, `;:,"`)
	if end < 0 || s[end] == '"' {
		return "", "", fmt.Errorf("found %q, expected a colon behind the parameters", clip(s))
	}
	return s[:end], s[end:], nil
}

// unescape gives a TEXT value as it is meant.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'n' || s[i] == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// clip keeps errors short.
func clip(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
