package parquet

import (
	"strings"

	"github.com/parquet-go/parquet-go"

	"imwatch/event"
)

// Columns beside those of the contract.
const (
	columnExtra     = "extra"
	columnTopic     = "kafka.topic"
	columnPartition = "kafka.partition"
	columnOffset    = "kafka.offset"
)

// column is one leaf of the schema.
type column struct {
	index int
	name  string
	field event.Field // of an event; its Name is empty for the others
}

// layout is a schema with its leaves in the order in which a row has them.
type layout struct {
	schema  *parquet.Schema
	columns []column
}

// events is the layout of events: the contract's fields as nested groups, as they stand in a line, what it does not
// name as JSON, and where the line was in Kafka.
func events() layout {
	root := group{}
	fields := map[string]event.Field{}
	for _, f := range event.Fields() {
		if f.Group == event.AlertGroup {
			continue
		}
		root.put(f.Name, leaf(f))
		fields[f.Name] = f
	}
	root.put(columnExtra, parquet.Optional(parquet.JSON()))
	return root.layout("event", fields)
}

// letters is the layout of dead letters.
func letters() layout {
	root := group{}
	root.put("@timestamp", parquet.Optional(parquet.Timestamp(parquet.Microsecond)))
	for _, name := range []string{"id", "stage", "reason"} {
		root.put(name, parquet.Optional(text()))
	}
	root.put("letter", parquet.JSON())
	return root.layout("deadletter", nil)
}

func text() parquet.Node { return parquet.Encoded(parquet.String(), &parquet.RLEDictionary) }

// leaf is the column of a field.
func leaf(f event.Field) parquet.Node {
	var n parquet.Node
	switch f.Type {
	case event.Long:
		n = parquet.Int(64)
	case event.Float:
		n = parquet.Leaf(parquet.DoubleType)
	case event.Bool:
		n = parquet.Leaf(parquet.BooleanType)
	case event.Date:
		n = parquet.Timestamp(parquet.Microsecond)
	case event.Text:
		n = parquet.String()
	case event.Keyword, event.IP, event.GeoPoint, event.Flattened:
		n = text()
	}
	if f.List {
		n = parquet.List(n)
	}
	return parquet.Optional(n)
}

// group is an object with its members: further groups or leaves.
type group map[string]any

func (g group) put(name string, n parquet.Node) {
	parts := strings.Split(name, ".")
	for _, p := range parts[:len(parts)-1] {
		inner, ok := g[p].(group)
		if !ok {
			inner = group{}
			g[p] = inner
		}
		g = inner
	}
	g[parts[len(parts)-1]] = n
}

func (g group) node() parquet.Node {
	out := parquet.Group{}
	for name, member := range g {
		switch m := member.(type) {
		case group:
			out[name] = m.node()
		case parquet.Node:
			out[name] = m
		}
	}
	return out
}

func (g group) layout(name string, fields map[string]event.Field) layout {
	g.put(columnTopic, text())
	g.put(columnPartition, parquet.Int(32))
	g.put(columnOffset, parquet.Int(64))
	l := layout{schema: parquet.NewSchema(name, g.node())}
	for i, path := range l.schema.Columns() {
		name := strings.TrimSuffix(strings.Join(path, "."), ".list.element")
		l.columns = append(l.columns, column{i, name, fields[name]})
	}
	return l
}
