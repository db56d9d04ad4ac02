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
		fs = append(fs, field{tag, sf.Tag.Get("doc"), sf.Tag.Get("secret") == "true", []int{i}, sf.Type})
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

// nearest gives the known name closest to an unknown one, "" when none is near.
func nearest(name string, known []field) string {
	best, bestDist := "", len(name)/2+1
	for _, f := range known {
		if d := distance(name, f.name); d < bestDist {
			best, bestDist = f.name, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
