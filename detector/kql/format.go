package kql

import (
	"strings"

	"imwatch/event"
	"imwatch/event/filter"
)

// Format prints a condition as KQL that Parse reads as the same condition: for reports that name a part of a rule.
// What KQL cannot say (true for no event) is printed as "(nothing)".
func Format(x filter.Expr) string { return format(x, false) }

// format prints x, in parentheses where it joins others and stands below another join.
func format(x filter.Expr, inner bool) string {
	switch x := x.(type) {
	case nil, filter.All:
		return "*: *"
	case filter.And:
		return formatAll(x, " and ", "*: *", inner)
	case filter.Or:
		return formatAll(x, " or ", "(nothing)", inner)
	case filter.Not:
		return "not " + format(x.X, true)
	case filter.Exists:
		return x.Field.Name + ": *"
	case filter.Equal:
		return x.Field.Name + ": " + formatValue(x.Value)
	case filter.Range:
		return formatRange(x, inner)
	case filter.Pattern:
		return x.Field.Name + ": " + formatPattern(x.Parts)
	case filter.CIDR:
		return x.Field.Name + `: "` + x.Prefix + `"`
	case filter.Words:
		return x.Field.Name + ": " + formatWords(x)
	}
	return "(nothing)"
}

func formatAll(xs []filter.Expr, word, empty string, inner bool) string {
	if len(xs) == 0 {
		return empty
	}
	texts := make([]string, len(xs))
	for i, x := range xs {
		texts[i] = format(x, len(xs) > 1 || inner)
	}
	s := strings.Join(texts, word)
	if inner && len(xs) > 1 {
		return "(" + s + ")"
	}
	return s
}

func formatValue(v event.Value) string {
	switch v.Type {
	case event.Long, event.Float, event.Bool:
		return v.Text
	}
	return quoteIfNot(v.Text)
}

// quoteIfNot quotes a text unless it is one plain word.
func quoteIfNot(s string) string {
	plain := s != "" && !isWord(s) && !strings.EqualFold(s, "null")
	for _, r := range s {
		plain = plain && (r == '_' || r == '-' || r == '.' || r == '/' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

func isWord(s string) bool {
	return strings.EqualFold(s, "and") || strings.EqualFold(s, "or") || strings.EqualFold(s, "not")
}

func formatRange(x filter.Range, inner bool) string {
	end := func(v *event.Value, op string, closed bool) string {
		if closed {
			op += "="
		}
		return x.Field.Name + " " + op + " " + formatValue(*v)
	}
	switch {
	case x.From == nil && x.To == nil:
		return x.Field.Name + ": *"
	case x.To == nil:
		return end(x.From, ">", x.FromClosed)
	case x.From == nil:
		return end(x.To, "<", x.ToClosed)
	}
	s := end(x.From, ">", x.FromClosed) + " and " + end(x.To, "<", x.ToClosed)
	if inner {
		return "(" + s + ")"
	}
	return s
}

// formatPattern prints what stands between stars without quotes, since a star in quotes is a star.
func formatPattern(parts []string) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = escape(part)
	}
	return strings.Join(texts, "*")
}

func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t' || r == '\n' || r == '\r' || r == ' ' && (i == 0 || i == len(s)-1) || r == '\u00a0':
			b.WriteString(escapedSpace(r))
		default:
			b.WriteRune(r)
		}
	}
	if words := strings.Split(b.String(), " "); len(words) > 0 {
		for i, w := range words {
			if isWord(w) {
				words[i] = `\` + w
			}
		}
		return strings.Join(words, " ")
	}
	return b.String()
}

func escapedSpace(r rune) string {
	return map[rune]string{'\t': `\t`, '\n': `\n`, '\r': `\r`, ' ': `\u0020`, '\u00a0': `\u00a0`}[r]
}

func formatWords(x filter.Words) string {
	text := strings.Join(x.Words, " ")
	if x.Phrase {
		return `"` + text + `"`
	}
	return escape(text)
}
