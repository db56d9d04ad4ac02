package hot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"imwatch/event"
)

// Set changes hot keys of a configuration, a pointer to a struct, as a JSON object of dotted keys and values says:
// {"limits.rooms": 50, "log.level": "debug", "timeouts.write": "5s"}. It names every fault, joined, and changes nothing
// then. It does not check what values mean.
func Set[T any](c *T, object []byte) error {
	var wanted map[string]json.RawMessage
	if err := json.Unmarshal(object, &wanted); err != nil {
		return fmt.Errorf("expected a JSON object of keys and values: %w", err)
	}
	if len(wanted) == 0 {
		return errors.New("expected a JSON object of keys and values: found none")
	}
	changed := *c
	fields := leaves(&changed)
	var errs []error
	for key, raw := range wanted {
		if err := set(fields, key, raw); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return bytes.Compare([]byte(a.Error()), []byte(b.Error())) })
		return errors.Join(errs...)
	}
	*c = changed
	return nil
}

func set(fields []leaf, key string, raw json.RawMessage) error {
	i := slices.IndexFunc(fields, func(l leaf) bool { return l.key == key })
	switch {
	case i < 0:
		var known []string
		for _, l := range fields {
			known = append(known, l.key)
		}
		if near := event.Nearest(key, known); near != "" {
			return fmt.Errorf("no such key; did you mean %s?", near)
		}
		return errors.New("no such key")
	case fields[i].secret:
		return errors.New("a secret is changed in its file or environment only")
	case !fields[i].hot:
		return errors.New("it cannot change while the server runs: change the configuration and restart")
	}
	return decode(fields[i].value, raw)
}

// decode puts a JSON value into a field of a simple type.
func decode(v reflect.Value, raw json.RawMessage) error {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return fmt.Errorf("expected %s, found null", kind(v.Type()))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			if d, err := time.ParseDuration(text); err == nil {
				v.SetInt(int64(d))
				return nil
			}
		}
		return fmt.Errorf("expected %s, found %s", kind(v.Type()), clip(raw))
	}
	if simple(v.Type()) || v.Kind() == reflect.Slice && simple(v.Type().Elem()) {
		fresh := reflect.New(v.Type())
		if json.Unmarshal(raw, fresh.Interface()) != nil {
			return fmt.Errorf("expected %s, found %s", kind(v.Type()), clip(raw))
		}
		v.Set(fresh.Elem())
		return nil
	}
	return errors.New("it is too much for one value: change it in the configuration file")
}

func simple(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64, reflect.String:
		return true
	}
	return false
}

func kind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return `a duration such as "10s"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	return "a whole number"
}

func clip(raw json.RawMessage) string {
	const most = 60
	if len(raw) > most {
		return string(bytes.ToValidUTF8(raw[:most], nil)) + "…"
	}
	return string(raw)
}
