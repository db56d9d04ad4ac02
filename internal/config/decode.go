package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

var durationType = reflect.TypeFor[time.Duration]()

// decode fills v from a node.
func (l *loader) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" {
		return
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok && n.Kind == yaml.ScalarNode {
		if err := u.UnmarshalText([]byte(n.Value)); err != nil {
			l.fail(n, path, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		setDefaults(fresh)
		l.decode(n, fresh.Elem(), path)
		v.Set(fresh)
	case reflect.Struct:
		l.decodeStruct(n, v, path)
	case reflect.Slice:
		l.decodeSlice(n, v, path)
	case reflect.Map:
		l.decodeMap(n, v, path)
	default:
		if n.Kind != yaml.ScalarNode {
			l.fail(n, path, "found %s, expected %s", kindOf(n), kindName(v.Type()))
			return
		}
		if err := setScalar(v, n.Value); err != nil {
			l.fail(n, path, "%v", err)
		}
	}
}

func setDefaults(ptr reflect.Value) {
	if d, ok := reflect.TypeAssert[interface{ SetDefaults() }](ptr); ok {
		d.SetDefaults()
	}
}

func (l *loader) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		l.fail(n, path, "found %s, expected a mapping of keys", kindOf(n))
		return
	}
	known := fields(v.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		f, ok := find(known, key.Value)
		if !ok {
			l.fail(key, path, "unknown key %q%s", key.Value, hint(key.Value, known))
			continue
		}
		if seen[key.Value] {
			l.fail(key, path, "key %q is given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		target, at := v.FieldByIndex(f.index), join(path, f.name)
		if !f.secret {
			l.decode(val, target, at)
			continue
		}
		s, err := l.secret(at, val.Value)
		if err != nil {
			l.fail(val, at, "%v", err)
			continue
		}
		target.SetString(s)
	}
}

func find(known []field, name string) (field, bool) {
	for _, f := range known {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func hint(name string, known []field) string {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
	}
	if near := event.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return "; allowed are " + strings.Join(names, ", ")
}

func (l *loader) decodeSlice(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		l.fail(n, path, "found %s, expected a list", kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		setDefaults(out.Index(i).Addr())
		l.decode(c, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

func (l *loader) decodeMap(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		l.fail(n, path, "found %s, expected a mapping", kindOf(n))
		return
	}
	out := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		val := reflect.New(v.Type().Elem())
		setDefaults(val)
		l.decode(n.Content[i+1], val.Elem(), join(path, n.Content[i].Value))
		out.SetMapIndex(reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key()), val.Elem())
	}
	v.Set(out)
}

// setScalar fills a leaf from its text form.
func setScalar(v reflect.Value, s string) error {
	if v.Type() == durationType {
		d, err := ParseDuration(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err == nil {
			v.SetBool(b)
			return nil
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, v.Type().Bits())
		if err == nil {
			v.SetInt(i)
			return nil
		}
	case reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err == nil {
			v.SetFloat(f)
			return nil
		}
	}
	return fmt.Errorf("found %q, expected %s", s, kindName(v.Type()))
}

// ParseDuration is time.ParseDuration with d for days of 24 h and w for weeks, whole numbers, in front.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := s, time.Duration(0)
	for _, u := range []struct {
		unit string
		d    time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		if head, tail, ok := strings.Cut(rest, u.unit); ok {
			n, err := strconv.Atoi(head)
			if err != nil || n > 100_000 {
				return 0, fmt.Errorf("found %q, expected a duration such as 500ms, 30s, 5m, 2h, 7d", s)
			}
			total, rest = total+time.Duration(n)*u.d, tail
		}
	}
	if rest == "" && s != "" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("found %q, expected a duration such as 500ms, 30s, 5m, 2h, 7d", s)
	}
	return total + d, nil
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}

func kindName(t reflect.Type) string {
	if t == durationType {
		return "a duration such as 30s"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "a mapping"
	}
	return "a text"
}
