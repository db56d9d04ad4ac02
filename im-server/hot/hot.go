// Package hot compares two versions of a configuration and says what of it may change while a program runs.
//
// A configuration is a struct of structs whose fields have yaml tags. A field tagged hot:"true" may change while the
// program runs, and so may all below it that is not tagged hot:"false". What is tagged secret:"true" is never printed.
package hot

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Masked is what stands in place of a secret that is set.
const Masked = "********"

// Change is one key that has another value.
type Change struct {
	Key      string // dotted, as limits.rooms
	From, To string // printed, secrets masked
	Hot      bool   // it is in force; else it will be after a restart
}

// Value is one key as it is.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"` // printed, secrets masked
	Hot   bool   `json:"hot"`   // may change while the program runs
}

// leaf is a field that is not a struct.
type leaf struct {
	key         string
	hot, secret bool
	value       reflect.Value
}

// Merge gives what runs with the hot keys of what is wanted, and all keys in which the two differ, in the order of the
// struct. The result shares slices with both.
func Merge[T any](running, wanted *T) (merged T, changes []Change) {
	merged = *running
	before, after, into := leaves(running), leaves(wanted), leaves(&merged)
	for i := range before {
		b, a := &before[i], &after[i]
		if same(b.value, a.value) {
			continue
		}
		changes = append(changes, Change{b.key, b.print(), a.print(), b.hot})
		if b.hot {
			into[i].value.Set(a.value)
		}
	}
	return merged, changes
}

// Values lists all keys of a configuration, a pointer to a struct.
func Values(c any) []Value {
	var list []Value
	for _, l := range leaves(c) {
		list = append(list, Value{l.key, l.print(), l.hot})
	}
	return list
}

func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func leaves(c any) []leaf { return walk(nil, reflect.ValueOf(c).Elem(), "", false) }

func walk(list []leaf, v reflect.Value, prefix string, hot bool) []leaf {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if opts == "inline" {
			list = walk(list, v.Field(i), prefix, hot)
			continue
		}
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		isHot := hot
		switch f.Tag.Get("hot") {
		case "true":
			isHot = true
		case "false":
			isHot = false
		}
		if f.Type.Kind() == reflect.Struct {
			list = walk(list, v.Field(i), prefix+name+".", isHot)
			continue
		}
		list = append(list, leaf{prefix + name, isHot, f.Tag.Get("secret") == "true", v.Field(i)})
	}
	return list
}

func (l *leaf) print() string {
	if l.secret {
		return mask(l.value)
	}
	return text(l.value)
}

func mask(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	return Masked
}

// text gives a value as a person reads it.
func text(v reflect.Value) string {
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return d.String()
	}
	switch v.Kind() {
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = text(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Struct:
		var parts []string
		for _, l := range walk(nil, v, "", false) {
			if value := l.print(); value != "" {
				parts = append(parts, l.key+": "+value)
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return text(v.Elem())
	}
	return fmt.Sprint(v.Interface())
}
