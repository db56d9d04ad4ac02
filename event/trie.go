package event

import "strings"

// node is one step of a dotted name. The tree over all names is what JSON keys are followed through, so that
// decoding needs no map and no joined names.
type node struct {
	segment  string
	name     string  // dotted, from the root
	field    FieldID // NoField for an object
	free     bool    // labels: everything below is free
	children []*node
}

// root is built from the table once and never changed.
var root = buildTree()

func buildTree() *node {
	r := &node{field: NoField}
	for i := range table {
		n := r
		for seg := range strings.SplitSeq(table[i].Name, ".") {
			n = n.makeChild(seg)
		}
		n.field = FieldID(i)
	}
	r.makeChild("labels").free = true
	return r
}

func (n *node) makeChild(seg string) *node {
	if c := n.child(seg); c != nil {
		return c
	}
	c := &node{segment: seg, name: seg, field: NoField}
	if n.name != "" {
		c.name = n.name + "." + seg
	}
	n.children = append(n.children, c)
	return c
}

func (n *node) child(seg string) *node {
	for _, c := range n.children {
		if c.segment == seg {
			return c
		}
	}
	return nil
}

// descend follows a key, which may be dotted. It returns nil where the contract has no such name.
func (n *node) descend(key string) *node {
	if c := n.child(key); c != nil {
		return c
	}
	for {
		i := strings.IndexByte(key, '.')
		if i < 0 {
			return n.child(key)
		}
		if n = n.child(key[:i]); n == nil {
			return nil
		}
		key = key[i+1:]
		if n.free {
			return nil
		}
	}
}

// lookup finds a full name.
func lookup(name string) FieldID {
	if n := root.descend(name); n != nil {
		return n.field
	}
	return NoField
}
