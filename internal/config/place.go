package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Places says where the keys of a file stand, for faults that are found after it was read.
type Places struct {
	name string
	at   map[string]string // line:column by path
}

// PlacesOf reads the file again for the places of its keys. Of what is no YAML there are none.
func PlacesOf(src Source) Places {
	p := Places{name: src.Name, at: map[string]string{}}
	var doc yaml.Node
	if err := yaml.Unmarshal(src.YAML, &doc); err == nil && len(doc.Content) > 0 {
		p.walk(doc.Content[0], "")
	}
	return p
}

func (p Places) walk(n *yaml.Node, path string) {
	if n.Kind == yaml.AliasNode {
		return
	}
	if path != "" {
		p.at[path] = fmt.Sprintf("%d:%d", n.Line, n.Column)
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			p.walk(n.Content[i+1], join(path, n.Content[i].Value))
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			p.walk(c, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
}

// Of gives file, line and column of a key by its path; "" where the file does not have it.
func (p Places) Of(path string) string {
	at, ok := p.at[path]
	if !ok {
		return ""
	}
	return p.name + ":" + at
}

// Locate puts file, line and column in front of a fault that begins with the path of a key; in a list, where all comes
// from the file, those of the nearest key around it that is there. A fault whose key comes from elsewhere stays as it is.
func (p Places) Locate(fault string) string {
	path, _, _ := strings.Cut(fault, ": ")
	for path != "" {
		if at, ok := p.at[path]; ok {
			return p.name + ":" + at + ": " + fault
		}
		if !strings.Contains(path, "[") {
			break // the environment or a default
		}
		path = path[:strings.LastIndexAny(path, ".[")]
	}
	return fault
}
