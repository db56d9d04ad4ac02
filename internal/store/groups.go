package store

import (
	"encoding/binary"
	"slices"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
)

// Groups counts documents by the values of fields, as Aggregate answers it: for adapters that have to look at the
// documents themselves, wholly or in part. Not safe for concurrent use. Make it with NewGroups.
type Groups struct {
	by       []filter.Field
	interval time.Duration
	at       map[string]int
	all      []Bucket
	values   [][]string // of the document at hand, by field; nil: absent
	key      []byte
}

// NewGroups makes empty groups by fields and, where it is above 0, by interval.
func NewGroups(by []filter.Field, interval time.Duration) *Groups {
	n := len(by)
	if interval > 0 {
		n++
	}
	return &Groups{by: by, interval: interval, at: map[string]int{}, values: make([][]string, n)}
}

// All gives the groups in the order in which they appeared.
func (g *Groups) All() []Bucket { return g.all }

// Merge adds a group that was counted elsewhere. Its slices belong to g from now on.
func (g *Groups) Merge(b Bucket) {
	g.key = g.key[:0]
	for i, k := range b.Key {
		g.key = appendKey(g.key, k, b.Absent[i])
	}
	i, ok := g.at[string(g.key)]
	if !ok {
		g.at[string(g.key)] = len(g.all)
		g.all = append(g.all, b)
		return
	}
	g.all[i].Count += b.Count
	g.all[i].Weight += b.Weight
}

// appendKey adds one part, so that no two lists of parts give the same bytes.
func appendKey(dst []byte, text string, absent bool) []byte {
	if absent {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(text))+1)
	return append(dst, text...)
}

// Add counts one document in the group of each combination of its values.
func (g *Groups) Add(e *event.Event) {
	for i, f := range g.by {
		g.values[i] = distinct(f, e)
	}
	if g.interval > 0 {
		g.values[len(g.by)] = g.begin(e)
	}
	g.combine(0, make([]string, len(g.values)), make([]bool, len(g.values)), e.Weight())
}

func distinct(f filter.Field, e *event.Event) []string {
	v, ok := f.Value(e)
	if !ok {
		return nil
	}
	var texts []string
	v.Each(func(v event.Value) bool {
		if t := KeyText(v); !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
		return true
	})
	return texts
}

// begin gives the beginning of the interval that the document falls into.
func (g *Groups) begin(e *event.Event) []string {
	if !e.Has(event.FieldTimestamp) {
		return nil
	}
	ns, step := e.UnixNano(), int64(g.interval)
	return []string{event.FormatTime(time.Unix(0, ns-(ns%step+step)%step))}
}

func (g *Groups) combine(i int, key []string, absent []bool, weight float64) {
	if i == len(g.values) {
		g.Merge(Bucket{Key: slices.Clone(key), Absent: slices.Clone(absent), Count: 1, Weight: weight})
		return
	}
	if key[i], absent[i] = "", g.values[i] == nil; absent[i] {
		g.combine(i+1, key, absent, weight)
		return
	}
	for _, text := range g.values[i] {
		key[i] = text
		g.combine(i+1, key, absent, weight)
	}
}
