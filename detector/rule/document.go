package rule

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is one YAML document of a file: its lines, and how many lines stand before it.
type document struct {
	lines  []string
	before int
}

// documents cuts a file at its document marks. Each is parsed for itself, so that one that is no YAML does not hide
// the others. A mark at the beginning of a line is one wherever it stands, block scalars included.
func documents(src string) []document {
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(src, "\ufeff"))
	var docs []document
	start := 0
	lines := strings.Split(src, "\n")
	cut := func(end int) {
		if start < end {
			docs = append(docs, document{lines[start:end], start})
		}
	}
	for i, line := range lines {
		switch {
		case isMark(line, "---"):
			cut(i)
			start = i
		case isMark(line, "..."):
			cut(i)
			start = i + 1
		}
	}
	cut(len(lines))
	return docs
}

func isMark(line, mark string) bool {
	rest, ok := strings.CutPrefix(line, mark)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// parse gives the document's content, nil where it is empty. Of a syntax error the parser tells the line only.
func (doc document) parse() (*yaml.Node, *syntaxError) {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(strings.Join(doc.lines, "\n")), &n); err != nil {
		return nil, doc.explain(err.Error())
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) == 0 {
		return nil, nil
	}
	content := n.Content[0]
	if content.Kind == yaml.ScalarNode && content.Tag == "!!null" && content.Value == "" {
		return nil, nil
	}
	return content, nil
}

type syntaxError struct {
	line, column int
	message      string
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// unquotedComparison finds a comparison that YAML takes for the beginning of a block of text.
var unquotedComparison = regexp.MustCompile(`:\s*[>|][=\s]*-?\d`)

func (doc document) explain(message string) *syntaxError {
	e := &syntaxError{line: 1, column: 1, message: strings.TrimPrefix(message, "yaml: ")}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		e.line, _ = strconv.Atoi(m[1])
		e.message = message[len(m[0]):]
	}
	e.line = min(max(e.line, 1), len(doc.lines))
	// The parser's line is where it gave up, which may be one after the one to blame.
	for _, line := range []int{e.line, e.line - 1, e.line + 1} {
		if line < 1 || line > len(doc.lines) {
			continue
		}
		if at := unquotedComparison.FindStringIndex(doc.lines[line-1]); at != nil {
			e.line, e.column = line, len([]rune(doc.lines[line-1][:at[0]]))+1
			e.message = `found a comparison without quotes, which YAML takes for a block of text; write it in quotes, as in count: "> 20"`
			return e
		}
		if i := strings.IndexByte(doc.lines[line-1], '\t'); i >= 0 && strings.TrimSpace(doc.lines[line-1][:i]) == "" {
			e.line, e.column, e.message = line, i+1, "found a tab in the indentation, expected spaces"
			return e
		}
	}
	if strings.Contains(e.message, "mapping values are not allowed") {
		e.message += "; a text that holds a colon and a space must be in quotes, as in where: 'event.action: connect'"
	}
	text := doc.lines[e.line-1]
	e.column = len([]rune(text)) - len([]rune(strings.TrimLeft(text, " "))) + 1
	e.message = "not valid YAML: " + e.message
	return e
}
