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
	fs := matching(name.parts)
	if len(fs) == 0 {
		p.report(name.at, "no field matches %q%s", name.text(), nearest(strings.Join(name.parts, "")))
	}
	return fs
}

// matching gives the fields whose name, or short name, matches, and after them all free ones as a single field.
func matching(parts []string) []filter.Field {
	short := map[string]bool{}
	for alias, full := range event.Aliases() {
		short[full] = short[full] || matchName(alias, parts)
	}
	var fs []filter.Field
	for _, f := range event.Fields() {
		if short[f.Name] || matchName(f.Name, parts) {
			fs = append(fs, fieldOf(f))
		}
	}
	if first := parts[0]; strings.HasPrefix(first, event.LabelPrefix) || strings.HasPrefix(event.LabelPrefix, first) {
		fs = append(fs, filter.Field{Name: strings.Join(parts, "*"), ID: event.NoField, Type: event.Keyword, Wild: true})
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
