package query

import (
	"imwatch/detector/engine"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// keyset is the keys, by group_by, that a run looks at. The zero keyset means all of them.
type keyset struct {
	fields []filter.Field
	wanted map[string]bool // canonical
	cache  map[string]bool // by key as the engine writes it
}

func (k *keyset) all() bool { return k.wanted == nil }

func (k *keyset) has(key string) bool {
	if k.all() {
		return true
	}
	in, known := k.cache[key]
	if !known {
		in = k.wanted[canonical(key, k.fields)]
		k.cache[key] = in
	}
	return in
}

func (k *keyset) keep() func(string) bool {
	if k.all() {
		return nil
	}
	return k.has
}

// oneKey is a keyset of one key as the engine writes it.
func oneKey(key string, fields []filter.Field) *keyset {
	return &keyset{fields: fields, wanted: map[string]bool{canonical(key, fields): true}, cache: map[string]bool{}}
}

// canonical writes a key as the store prints its values: one text for one value, however a line spelt it.
func canonical(key string, fields []filter.Field) string {
	parts, ok := engine.SplitKey(key, len(fields))
	if !ok {
		return key
	}
	for i := range parts {
		if v, ok := event.Parse(fields[i].Type, parts[i].Text); ok && !parts[i].Missing {
			parts[i].Text = store.KeyText(v)
		}
	}
	return engine.MakeKey(parts)
}
