package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Reference gives the table of all keys as Markdown, one section for each key of the top level: name, default,
// environment variable and meaning.
func Reference(v any, prefix string) string {
	root := reflect.Indirect(reflect.ValueOf(v))
	var b strings.Builder
	for _, f := range fields(root.Type()) {
		fv := root.FieldByIndex(f.index)
		fmt.Fprintf(&b, "\n## `%s`\n", f.name)
		if f.doc != "" {
			fmt.Fprintf(&b, "%s\n", f.doc)
		}
		b.WriteString("\n| key | default | environment | meaning |\n| --- | --- | --- | --- |\n")
		writeRows(&b, fv, f, f.name, prefix)
	}
	return b.String()
}

func writeRows(b *strings.Builder, v reflect.Value, f field, path, prefix string) {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
		v = fresh(t)
		prefix = ""
	}
	switch {
	case t.Kind() == reflect.Struct:
		for _, sub := range fields(t) {
			sub.hot = inherit(sub.hot, f.hot)
			writeRows(b, v.FieldByIndex(sub.index), sub, join(path, sub.name), prefix)
		}
		return
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && t.Elem() != durationType:
		writeRow(b, path+"[]", defaultText(v), "", f.doc+hotText(f))
		if depth := strings.Count(path, "[]"); depth > 2 {
			return
		}
		e := fresh(t.Elem())
		for _, sub := range fields(t.Elem()) {
			if sub.typ == t { // a tree, such as routes in a route
				writeRow(b, path+"[]."+sub.name+"[]", "", "", sub.doc)
				continue
			}
			sub.hot = inherit(sub.hot, f.hot)
			writeRows(b, e.FieldByIndex(sub.index), sub, path+"[]."+sub.name, "")
		}
		return
	}
	env := ""
	if prefix != "" && t.Kind() != reflect.Map {
		env = "`" + envName(prefix, path) + "`"
	}
	doc := f.doc
	if f.secret {
		doc += " (secret: `${ENV}` or `file:PATH`)"
	}
	writeRow(b, path, defaultText(v), env, doc+hotText(f))
}

// inherit gives what a field says of itself, or else what holds around it.
func inherit(own, around string) string {
	if own == "" {
		return around
	}
	return own
}

func hotText(f field) string {
	if f.hot == "true" {
		return " (hot)"
	}
	return ""
}

// fresh makes a value as a list element begins.
func fresh(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	setDefaults(p)
	return p.Elem()
}

func writeRow(b *strings.Builder, path, def, env, doc string) {
	if def != "" {
		def = "`" + def + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", path, def, env, strings.ReplaceAll(doc, "|", `\|`))
}

func defaultText(v reflect.Value) string {
	if v.Type() == durationType {
		return FormatDuration(time.Duration(v.Int()))
	}
	switch v.Kind() {
	case reflect.Slice:
		var parts []string
		if v.Type().Elem().Kind() == reflect.String {
			for i := range v.Len() {
				parts = append(parts, v.Index(i).String())
			}
		}
		return strings.Join(parts, ", ")
	case reflect.Map:
		return ""
	}
	return fmt.Sprint(v.Interface())
}
