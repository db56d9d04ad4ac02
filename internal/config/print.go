package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Masked is what stands in place of a secret that is set.
const Masked = "********"

// Print gives the effective configuration as YAML, secrets masked.
func Print(v any) ([]byte, error) {
	n := toNode(reflect.Indirect(reflect.ValueOf(v)))
	b, err := yaml.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("printing configuration: %w", err)
	}
	return b, nil
}

func toNode(v reflect.Value) *yaml.Node {
	if v.Type() == durationType {
		return scalar(FormatDuration(time.Duration(v.Int())))
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return scalar("null")
		}
		return toNode(v.Elem())
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range fields(v.Type()) {
			fv := v.FieldByIndex(f.index)
			if fv.Kind() == reflect.Pointer && fv.IsNil() {
				continue
			}
			val := toNode(fv)
			if f.secret && fv.Len() > 0 {
				val = scalar(Masked)
			}
			n.Content = append(n.Content, scalar(f.name), val)
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if v.Len() == 0 || v.Type().Elem().Kind() == reflect.String {
			n.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			n.Content = append(n.Content, toNode(v.Index(i)))
		}
		return n
	}
	n := &yaml.Node{}
	if err := n.Encode(v.Interface()); err != nil {
		return scalar(fmt.Sprint(v.Interface()))
	}
	return n
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if s == "null" {
		n.Tag = "!!null"
	}
	return n
}

// FormatDuration prints a duration as ParseDuration reads it, without the zero parts: 90s is 1m30s, 720h is 30d.
func FormatDuration(d time.Duration) string {
	if d != 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
