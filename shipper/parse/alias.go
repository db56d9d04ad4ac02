package parse

import (
	"strings"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
)

// settle moves what stands under an alias (status, level, path, client_ip) to where the alias points: no document may
// have a field of that name. What does not fit there, or is there already, stays below foreign. It says whether there
// was anything.
func settle(e *event.Event) (changed bool) {
	for i := 0; i < len(e.Extras()); i++ {
		x := e.Extras()[i]
		first, _, _ := strings.Cut(x.Name, ".")
		f, ok := aliased(first)
		if !ok {
			continue
		}
		changed = true
		v, _ := x.Value()
		known := true
		if f.ID == event.FieldLogLevel {
			v.Text, known = mapping.Level(v.Text)
		}
		val, fits := event.Parse(f.Type, v.Text)
		if first == x.Name && v.List == nil && known && fits && !e.Has(f.ID) {
			e.Set(f.ID, val)
		} else {
			e.SetExtra(mapping.Foreign+"."+x.Name, x.Raw)
		}
		e.SetExtra(x.Name, "")
		i--
	}
	return changed
}

// aliased gives the field that an alias stands for.
func aliased(name string) (event.Field, bool) {
	switch name { // in the order of event.Aliases, which would be a map for each line
	case "client_ip", "level", "path", "status":
		return event.FieldByName(name)
	}
	return event.Field{}, false
}
