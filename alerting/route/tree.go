package route

import (
	"fmt"
	"slices"
	"time"

	"imwatch/event"
)

// Target is one receiver that an alert goes to.
type Target struct {
	Receiver string
	Repeat   time.Duration // how often it is told again while it fires
}

// Tree is a compiled route. Immutable and safe for concurrent use.
type Tree struct {
	matchers []Matcher
	targets  []Target
	cont     bool
	children []*Tree
}

// New compiles a configuration.
func New(c Config) (*Tree, error) {
	return compile(c, nil, DefaultRepeat)
}

func compile(c Config, receivers []string, repeat time.Duration) (*Tree, error) {
	t := &Tree{cont: c.Continue}
	for _, text := range c.Match {
		m, err := ParseMatcher(text)
		if err != nil {
			return nil, fmt.Errorf("reading matcher: %w", err)
		}
		t.matchers = append(t.matchers, m)
	}
	if len(c.Receivers) > 0 {
		receivers = c.Receivers
	}
	if c.RepeatInterval > 0 {
		repeat = c.RepeatInterval
	}
	for _, name := range receivers {
		t.targets = append(t.targets, Target{name, repeat})
	}
	for i := range c.Routes {
		child, err := compile(c.Routes[i], receivers, repeat)
		if err != nil {
			return nil, err
		}
		t.children = append(t.children, child)
	}
	return t, nil
}

// Targets gives the receivers of an alert, each once, in the order of the routes; none when nobody is to be told.
func (t *Tree) Targets(a *event.Alert) []Target {
	found, _ := t.walk(a, nil)
	return found
}

func (t *Tree) walk(a *event.Alert, found []Target) ([]Target, bool) {
	for _, m := range t.matchers {
		if !m.Match(a) {
			return found, false
		}
	}
	taken := false
	for _, c := range t.children {
		var ok bool
		if found, ok = c.walk(a, found); ok {
			taken = true
			if !c.cont {
				break
			}
		}
	}
	if !taken {
		found = add(found, t.targets)
	}
	return found, true
}

func add(found, more []Target) []Target {
	for _, m := range more {
		if !slices.ContainsFunc(found, func(f Target) bool { return f.Receiver == m.Receiver }) {
			found = append(found, m)
		}
	}
	return found
}
