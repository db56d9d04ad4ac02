package parse

import (
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
)

// settle moves what stands under names that no index takes, so that no store refuses the event: what stands under an
// alias (status, level, path, client_ip) goes where that points, if it fits there and nothing is there yet; all else
// goes below foreign. It says whether there was anything.
func settle(e *event.Event, line string) (changed bool) {
	for i := 0; i < len(e.Extras()); i++ {
		x := e.Extras()[i]
		if takeable(x.Name) {
			continue
		}
		changed = true
		if !settled(e, x) {
			e.SetExtra(mapping.Foreign+"."+mapping.Indexable(x.Name), x.Raw)
		}
		e.SetExtra(x.Name, "")
		i--
	}
	return changed || e.Nulls() && hidden(line)
}

// settled gives the field that an alias points to the value that stands under the alias.
func settled(e *event.Event, x event.Extra) bool {
	f, ok := aliased(x.Name)
	v, isOne := x.Value()
	if !ok || !isOne || v.List != nil || e.Has(f.ID) {
		return false
	}
	if f.ID == event.FieldLogLevel {
		if v.Text, ok = mapping.Level(v.Text); !ok {
			return false
		}
	}
	val, ok := event.Parse(f.Type, v.Text)
	if ok {
		e.Set(f.ID, val)
	}
	return ok
}

// hidden says whether the line has a null, which is no value to an event, under a name that no index takes.
func hidden(line string) (found bool) {
	err := event.Walk(line, func(path []byte, raw string) { found = found || raw == "null" && !takeable(string(path)) })
	return found && err == nil
}

// takeable says whether an index takes a field of this name.
func takeable(name string) bool {
	first, _, nested := strings.Cut(name, ".")
	if _, alias := aliased(first); alias || first == "labels" && !nested {
		return false
	}
	switch first { // Elasticsearch's own
	case "_id", "_index", "_source", "_routing", "_size", "_doc_count", "_field_names", "_ignored", "_ignored_source", "_nested_path", "_tier",
		"_seq_no", "_version", "_feature", "_data_stream_timestamp", "_type":
		return false
	}
	return mapping.Indexable(name) == name
}

// aliased gives the field that an alias stands for.
func aliased(name string) (event.Field, bool) {
	switch name { // in the order of event.Aliases, which would be a map for each line
	case "client_ip", "level", "path", "status":
		return event.FieldByName(name)
	}
	return event.Field{}, false
}
