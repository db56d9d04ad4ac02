package kql

import (
	"strings"

	"imwatch/event"
	"imwatch/event/filter"
)

// fields gives the fields that a name stands for: one, or with wildcards all that match. It reports a name that
// stands for none and returns nil.
func (p *parser) fields(name literal) []filter.Field {
	if !name.wild() {
		f, ok := event.FieldByName(name.text())
		if !ok {
			p.report(name.at, "unknown field %q%s", name.text(), nearest(name.text()))
			return nil
		}
		return []filter.Field{fieldOf(f)}
	}
	var fs []filter.Field
	for _, f := range event.Fields() {
		if matchName(f.Name, name.parts) {
			fs = append(fs, fieldOf(f))
		}
	}
	if len(fs) == 0 {
		hint := ""
		if strings.HasPrefix(name.text(), event.LabelPrefix) {
			hint = "; labels are free, so each needs its whole name"
		}
		p.report(name.at, "no field matches %q%s", name.text(), hint)
	}
	return fs
}

func fieldOf(f event.Field) filter.Field { return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type} }

// nearest says which field was probably meant: the one with the closest letters, else one of which name is a part.
func nearest(name string) string {
	near := event.NearestField(name)
	for _, f := range event.Fields() {
		if near == "" && name != "" && (strings.HasPrefix(f.Name, name+".") || strings.HasSuffix(f.Name, "."+name)) {
			near = f.Name
		}
	}
	if near == "" {
		return ""
	}
	return "; the nearest is " + near
}

// matchName matches a field's name against what stands between the wildcards.
func matchName(name string, parts []string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}
