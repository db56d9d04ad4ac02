package config

import (
	"fmt"
	"reflect"
	"strings"
)

// overlay sets what the environment names. Lists of texts are comma-separated; lists of structs and maps cannot be
// given by the environment.
func (l *loader) overlay(v reflect.Value, path string) {
	for _, f := range fields(v.Type()) {
		target, at := v.FieldByIndex(f.index), join(path, f.name)
		if f.typ.Kind() == reflect.Struct {
			l.overlay(target, at)
			continue
		}
		name := envName(l.src.Prefix, at)
		s, ok := l.env[name]
		if !ok || l.src.Prefix == "" {
			continue
		}
		if err := l.setEnv(target, f, at, s); err != nil {
			l.errs = append(l.errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	}
}

func (l *loader) setEnv(v reflect.Value, f field, path, s string) error {
	switch {
	case f.secret: // the environment is a place for secrets: taken as they are, or as a reference
		if isReference(s) {
			var err error
			if s, err = l.secret(path, s); err != nil {
				return err
			}
		}
		v.SetString(s)
		return nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		var parts []string
		for p := range strings.SplitSeq(s, ",") {
			if p = strings.TrimSpace(p); p != "" {
				parts = append(parts, p)
			}
		}
		v.Set(reflect.ValueOf(parts).Convert(v.Type()))
		return nil
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Map, v.Kind() == reflect.Pointer:
		return fmt.Errorf("%s can only be given in the file", f.name)
	}
	return setScalar(v, s)
}
