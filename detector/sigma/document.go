package sigma

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"imwatch/detector/rule"
	"imwatch/detector/yamlnode"
	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// doc is one Sigma document.
type doc struct {
	file   string
	node   *yaml.Node
	fields map[string]*yaml.Node // the keys at the top
	failed bool

	where filter.Expr // of a detection, once it is converted
	used  bool        // a correlation refers to it and does not ask for it to stand alone
}

// documents reads the documents of one file.
func (c *converter) documents(file string, src []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for first := true; ; first = false {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			if first {
				c.fail(&doc{file: file}, &yaml.Node{Line: 1, Column: 1}, "found no document in this file")
			}
			return
		}
		if err != nil {
			c.syntax(file, err)
			return
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue
		}
		c.document(&doc{file: file, node: n.Content[0], fields: map[string]*yaml.Node{}})
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

func (c *converter) syntax(file string, err error) {
	n, message := &yaml.Node{Line: 1, Column: 1}, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		n.Line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	c.fail(&doc{file: file}, n, "not valid YAML: %s", strings.TrimPrefix(message, "yaml: "))
}

func (c *converter) document(d *doc) {
	c.docs = append(c.docs, d)
	if d.node.Kind != yaml.MappingNode {
		c.fail(d, d.node, "found %s, expected a Sigma rule: a mapping with title and detection or correlation", describe(d.node))
		return
	}
	c.each(d, d.node, func(k, v *yaml.Node) { d.fields[k.Value] = v })
	for _, obsolete := range []string{"action", "filter"} {
		if n := d.fields[obsolete]; n != nil && (obsolete == "filter" || n.Value == "global" || n.Value == "repeat" || n.Value == "reset") {
			c.fail(d, n, "found a document with %s, which changes other rules; write what it adds into each rule", obsolete)
			return
		}
	}
	if d.text("title") == "" {
		c.fail(d, d.node, "key \"title\" is missing")
	}
	switch {
	case d.fields["detection"] == nil && d.fields["correlation"] == nil:
		c.fail(d, d.node, "found neither detection nor correlation, expected one of them%s", near("detection", d.fields))
	case d.fields["detection"] != nil && d.fields["correlation"] != nil:
		c.fail(d, d.fields["correlation"], "found detection and correlation, expected one of them; separate documents begin with ---")
	}
}

// near names a key that was probably meant.
func near(want string, have map[string]*yaml.Node) string {
	for name := range have {
		if event.Nearest(name, []string{want}) != "" {
			return "; " + strconv.Quote(name) + " is near to " + strconv.Quote(want)
		}
	}
	return ""
}

// each calls f for the entries of a mapping; it reports keys given twice.
func (c *converter) each(d *doc, n *yaml.Node, f func(k, v *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := yamlnode.Resolve(n.Content[i]), yamlnode.Resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode {
			c.fail(d, k, "found %s as a key, expected a name", describe(k))
			continue
		}
		if line := seen[k.Value]; line > 0 {
			c.fail(d, k, "key %q is given twice; the first is in line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		f(k, v)
	}
}

// text gives a text at the top, "" without.
func (d *doc) text(name string) string {
	if n := d.fields[name]; n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return strings.TrimSpace(n.Value)
	}
	return ""
}

// texts gives a list of texts, also where it is one text.
func (d *doc) texts(name string) (list []string) {
	n := d.fields[name]
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return []string{strings.TrimSpace(n.Value)}
	}
	for _, item := range n.Content {
		if item = yamlnode.Resolve(item); item.Kind == yaml.ScalarNode {
			list = append(list, strings.TrimSpace(item.Value))
		}
	}
	return list
}

// label is what findings call the document: its id, else its name.
func (d *doc) label() string {
	if id := d.text("id"); id != "" {
		return id
	}
	return d.text("name")
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// id gives the id of the rule that it becomes.
func (d *doc) id() string {
	for _, id := range []string{d.text("id"), d.text("name")} {
		if id != "" && rule.ValidID(id) {
			return id
		}
	}
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(d.text("title")), "-"), "-")
	return strings.Trim(slug[:min(len(slug), 100)], "-")
}
