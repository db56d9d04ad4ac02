package rule

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is a line and a column in characters, both from 1.
type place struct{ line, column int }

// placeIn finds where byte offset of a scalar's value stands in the source, through quotes, escapes, folded lines and
// blocks. Where the value cannot be followed (tags, anchors), it is the scalar's beginning.
func placeIn(lines []string, n *yaml.Node, offset int) place {
	t := &tracer{lines: lines, want: n.Value}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		t.block(n, n.Style&yaml.FoldedStyle != 0)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		t.flow(n, '"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		t.flow(n, '\'')
	default:
		t.flow(n, 0)
	}
	if string(t.out) != n.Value || offset > len(t.at) || len(t.at) == 0 {
		return place{n.Line, n.Column}
	}
	if offset == len(t.at) { // just after the last character
		last := t.at[offset-1]
		return place{last.line, last.column + 1}
	}
	return t.at[offset]
}

// tracer reads a scalar again as YAML does, noting for each byte of the value where it came from.
type tracer struct {
	lines []string
	want  string
	out   []byte
	at    []place
}

func (t *tracer) emit(s string, p place) {
	t.out = append(t.out, s...)
	for range len(s) {
		t.at = append(t.at, p)
	}
}

func (t *tracer) full() bool { return len(t.out) >= len(t.want) }

// flow reads a quoted (quote is its mark) or plain scalar.
func (t *tracer) flow(n *yaml.Node, quote rune) {
	line, column := n.Line, n.Column
	if quote != 0 {
		column++
	}
	for line <= len(t.lines) && !t.full() {
		text := []rune(t.lines[line-1])
		joined := false // the line ends in a backslash: the next one follows without a space
		for i := column - 1; i < len(text) && !t.full(); i++ {
			r, here := text[i], place{line, i + 1}
			switch {
			case quote == '\'' && r == '\'':
				i++ // two of them are one
				t.emit("'", here)
			case quote == '"' && r == '\\' && i == len(text)-1:
				joined = true
			case quote == '"' && r == '\\':
				s, length := unescape(text[i+1:])
				t.emit(s, here)
				i += length
			default:
				t.emit(string(r), here)
			}
		}
		if t.full() {
			return
		}
		line, column = t.fold(line, len(text), joined)
	}
}

// fold goes on to the next line that holds something: one line end is a space, more are that many less one.
func (t *tracer) fold(line, end int, joined bool) (nextLine, column int) {
	here := place{line, end + 1}
	if !joined {
		for len(t.out) > 0 && (t.out[len(t.out)-1] == ' ' || t.out[len(t.out)-1] == '\t') {
			t.out, t.at = t.out[:len(t.out)-1], t.at[:len(t.at)-1]
		}
	}
	breaks := 1
	for line++; line <= len(t.lines) && strings.TrimSpace(t.lines[line-1]) == ""; line++ {
		breaks++
	}
	switch {
	case breaks > 1:
		t.emit(strings.Repeat("\n", breaks-1), here)
	case !joined:
		t.emit(" ", here)
	}
	if line > len(t.lines) {
		return line, 1
	}
	text := t.lines[line-1]
	return line, len(text) - len(strings.TrimLeft(text, " \t")) + 1
}

// block reads a literal (|) or folded (>) block.
func (t *tracer) block(n *yaml.Node, folded bool) {
	indent, blanks := -1, 0
	wasIndented, first := false, true
	for line := n.Line + 1; line <= len(t.lines) && !t.full(); line++ {
		text := t.lines[line-1]
		if strings.Trim(text, " ") == "" && (indent < 0 || len(text) <= indent) {
			blanks++
			continue
		}
		spaces := len(text) - len(strings.TrimLeft(text, " "))
		if indent < 0 {
			indent = spaces
		}
		if spaces < indent {
			break // the block is over
		}
		body := text[indent:]
		indented := body[0] == ' ' || body[0] == '\t'
		t.emit(separator(first, folded && !indented && !wasIndented, blanks), place{line, indent + 1})
		for i, r := range []rune(body) {
			t.emit(string(r), place{line, indent + i + 1})
		}
		first, wasIndented, blanks = false, indented, 0
	}
	if missing := len(t.want) - len(t.out); missing > 0 && len(t.at) > 0 {
		last := t.at[len(t.at)-1]
		t.emit(strings.Repeat("\n", missing), place{last.line, last.column + 1})
	}
}

// separator gives what stands between two lines of a block with blank ones between.
func separator(first, folds bool, blanks int) string {
	switch {
	case first:
		return strings.Repeat("\n", blanks)
	case !folds:
		return strings.Repeat("\n", blanks+1)
	case blanks == 0:
		return " "
	}
	return strings.Repeat("\n", blanks)
}

// unescape reads what follows a backslash in double quotes, through the YAML parser itself.
func unescape(rest []rune) (string, int) {
	length := 1
	switch rest[0] {
	case 'x':
		length = 3
	case 'u':
		length = 5
	case 'U':
		length = 9
	}
	length = min(length, len(rest))
	var s string
	if yaml.Unmarshal([]byte(`"\`+string(rest[:length])+`"`), &s) != nil {
		return "", length
	}
	return s, length
}
