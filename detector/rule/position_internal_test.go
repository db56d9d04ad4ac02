package rule

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// Wherever YAML lets a mark stand in a scalar, its place is found.
func TestPlaceInEveryStyle(t *testing.T) {
	styles := map[string]yaml.Style{
		"plain": 0, "double": yaml.DoubleQuotedStyle, "single": yaml.SingleQuotedStyle, "literal": yaml.LiteralStyle, "folded": yaml.FoldedStyle,
	}
	for name, style := range styles {
		t.Run(name, func(t *testing.T) {
			followed := 0
			rapid.Check(t, func(t *rapid.T) {
				part := rapid.StringOfN(rapid.SampledFrom([]rune("ab  \n\n'\"\\\t日:é,")), 0, 120, -1)
				value := part.Draw(t, "before") + "§" + part.Draw(t, "after")
				src, err := yaml.Marshal(map[string]*yaml.Node{"where": {Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: style}})
				if err != nil {
					t.Fatal(err)
				}
				doc := document{lines: strings.Split(string(src), "\n")}
				content, syntax := doc.parse()
				if syntax != nil || content.Content[1].Value != value {
					return // the writer does not keep this value
				}
				n := content.Content[1]
				p := placeIn(doc.lines, n, strings.Index(value, "§"))
				if p == (place{n.Line, n.Column}) {
					return // not followed, the scalar's beginning stands for it
				}
				followed++
				if line := []rune(doc.lines[p.line-1]); p.column > len(line) || line[p.column-1] != '§' {
					t.Fatalf("%s\n%q at %v", src, value, p)
				}
			})
			if followed < 50 {
				t.Errorf("only %d values of 100 were followed", followed)
			}
		})
	}
}

// What people write by hand, which the writer above does not: quoted scalars over several lines, indented blocks.
func TestPlaceInHandWritten(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want place
	}{
		"plain over lines":              {"where: a b\n  c §\n", place{2, 5}},
		"plain with blank lines":        {"where: a b\n\n\n    §\n", place{4, 5}},
		"single over lines":             {"where: 'it''s a\n   \n   long '' §'\n", place{3, 12}},
		"double over lines":             {"where: \"a \\\"b\\\" \\u00e9\n  c \\\n   §\"\n", place{3, 4}},
		"literal":                       {"where: |\n  a\n\n    b §\nnext: 1\n", place{4, 7}},
		"literal with remark and chomp": {"where: |- # text\n  a\n  § b\n\nnext: 1\n", place{3, 3}},
		"literal with blank begin":      {"where: |\n\n\n  a §\n", place{4, 5}},
		"folded":                        {"where: >\n  a\n  b\n\n  c\n    d\n  §\n", place{7, 3}},
		"in a flow mapping":             {"{a: 1, where: \"x: §\"}", place{1, 19}},
		"after an anchor":               {"where: &w a §\n", place{1, 8}}, // not followed: its beginning
	} {
		t.Run(name, func(t *testing.T) {
			doc := document{lines: strings.Split(c.src, "\n")}
			content, syntax := doc.parse()
			if syntax != nil {
				t.Fatal(syntax.message)
			}
			for i, k := range content.Content {
				if k.Value != "where" {
					continue
				}
				n := content.Content[i+1]
				if got := placeIn(doc.lines, n, strings.Index(n.Value, "§")); got != c.want {
					t.Errorf("%q in\n%s\ngot %v, want %v", n.Value, c.src, got, c.want)
				}
			}
		})
	}
}
