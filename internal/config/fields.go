package config

import (
	"reflect"
	"strings"
)

// field is one key of a struct.
type field struct {
	name   string
	doc    string
	secret bool
	hot    string // "true", "false", or "" for what the struct around it says
	index  []int
	typ    reflect.Type
}

// fields lists the keys of a struct type, those of inlined structs among them. Fields without a yaml name are not
// configuration.
func fields(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, opts, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if opts == "inline" {
			for _, f := range fields(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fs = append(fs, f)
			}
			continue
		}
		if tag == "" || tag == "-" || !sf.IsExported() {
			continue
		}
		fs = append(fs, field{tag, sf.Tag.Get("doc"), sf.Tag.Get("secret") == "true", sf.Tag.Get("hot"), []int{i}, sf.Type})
	}
	return fs
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// envName gives the environment's name of a path: IMWATCH_ + KAFKA_BROKERS.
func envName(prefix, path string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
