// Package yamlnode has what all readers of YAML with places (rules, calendars, Sigma) need of a node. It reads nothing
// itself and is safe for concurrent use.
package yamlnode

import "go.yaml.in/yaml/v3"

// Resolve follows an alias to what it stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Kind says for messages what a node is that holds no text: "a mapping", "a list" or "nothing"; "" for a text.
func Kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return ""
}
