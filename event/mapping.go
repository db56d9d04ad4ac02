package event

import "strings"

// Mapping gives the Elasticsearch mapping of the table, for index templates: properties with aliases, free labels as
// keywords, other unknown fields kept in _source but not indexed, so that no sender can grow the mapping.
func Mapping() map[string]any {
	props := map[string]any{}
	for i := range table {
		put(props, strings.Split(table[i].Name, "."), mappingOf(table[i]))
	}
	props["labels"] = map[string]any{"type": "object", "dynamic": true, "subobjects": false} // labels.a.b is one name
	for alias, path := range Aliases() {
		props[alias] = map[string]any{"type": "alias", "path": path}
	}
	return map[string]any{
		"dynamic": false,
		"dynamic_templates": []any{map[string]any{"labels": map[string]any{
			"path_match": "labels.*", "mapping": map[string]any{"type": "keyword", "ignore_above": keywordLimit},
		}}},
		"properties": props,
	}
}

// DeadLetterMapping gives what dead letters have beside the table: where a line was refused, why, and where it came
// from. The original itself is kept, not indexed.
func DeadLetterMapping() map[string]any {
	props := map[string]any{"detail": map[string]any{"type": "text"}, "original": map[string]any{"type": "keyword", "index": false, "doc_values": false}}
	for _, name := range []string{"id", "stage", "reason", "file", "topic", "encoding"} {
		props[name] = map[string]any{"type": "keyword", "ignore_above": keywordLimit}
	}
	for _, name := range []string{"partition", "offset", "part"} {
		props[name] = map[string]any{"type": "long"}
	}
	return map[string]any{"properties": props}
}

// keywordLimit is the longest keyword that is indexed, in characters: a bound on hostile headers, far above ours.
const keywordLimit = 1024

func mappingOf(f Field) map[string]any {
	m := map[string]any{"type": f.Type.String()}
	if f.Type == Keyword {
		m["ignore_above"] = keywordLimit
	}
	if f.Type == Date {
		m["format"] = "strict_date_optional_time_nanos||strict_date_optional_time" // the first wants seconds, to nine digits
	}
	return m
}

// put sets leaf at path, making the objects between.
func put(props map[string]any, path []string, leaf map[string]any) {
	for _, seg := range path[:len(path)-1] {
		child, ok := props[seg].(map[string]any)
		if !ok {
			child = map[string]any{"properties": map[string]any{}}
			props[seg] = child
		}
		props = child["properties"].(map[string]any)
	}
	props[path[len(path)-1]] = leaf
}
