// Package config fills any tree of configuration structs from one YAML file and the environment, strictly, and prints
// it back with secrets masked.
//
// A field is named by its yaml tag and explained by its doc tag; a string tagged secret:"true" is given as ${ENV} or
// file:PATH only. Every key can be overridden by the environment: kafka.brokers by IMWATCH_KAFKA_BROKERS. A struct
// that stands in a list or behind a pointer may have a method SetDefaults, called before it is filled.
//
// What it leaves out: what values mean. Each stage's Config has a Validate of its own.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is where values come from. The zero Source changes nothing.
type Source struct {
	Name   string // the file's name, for error messages
	YAML   []byte
	Env    []string // KEY=value, as os.Environ gives it
	Prefix string   // of the environment's names, "IMWATCH_"
	// Secrets names the keys of the top level whose secrets are needed; nil: all. Secrets below other keys are not
	// looked up and stay empty, so that a process needs only its own.
	Secrets []string
}

// Load fills dst, a pointer to a struct that holds the defaults, from the file and then from the environment. All
// faults are returned at once, joined; each names file, line and column or the environment variable, what was found
// and what is allowed.
func Load(dst any, src Source) error {
	l := loader{src: src, env: environ(src.Env)}
	v := reflect.ValueOf(dst).Elem()
	if root := l.parse(); root != nil {
		l.decode(root, v, "")
	}
	l.overlay(v, "")
	return errors.Join(l.errs...)
}

type loader struct {
	src  Source
	env  map[string]string
	errs []error
}

func environ(pairs []string) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		if k, v, ok := strings.Cut(p, "="); ok {
			m[k] = v
		}
	}
	return m
}

func (l *loader) parse() *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal(l.src.YAML, &doc); err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s: %w", l.src.Name, err))
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

func (l *loader) fail(n *yaml.Node, path, format string, args ...any) {
	where := fmt.Sprintf("%s:%d:%d", l.src.Name, n.Line, n.Column)
	if path != "" {
		where += ": " + path
	}
	l.errs = append(l.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// secret reads what a secret at path points to.
func (l *loader) secret(path, s string) (string, error) {
	switch {
	case s == "":
		return "", nil
	case l.src.Secrets != nil && !slices.Contains(l.src.Secrets, topKey(path)) && isReference(s):
		return "", nil
	case strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}"):
		name := s[2 : len(s)-1]
		v, ok := l.env[name]
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", name)
		}
		return v, nil
	case strings.HasPrefix(s, "file:"):
		b, err := os.ReadFile(s[len("file:"):])
		if err != nil {
			return "", fmt.Errorf("reading secret: %w", err)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	return "", errors.New("a secret is given as ${ENV} or file:PATH, never in the file itself")
}

// topKey gives the first name of a path such as alerting.receivers[0].email.
func topKey(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

func isReference(s string) bool { return strings.HasPrefix(s, "${") || strings.HasPrefix(s, "file:") }
