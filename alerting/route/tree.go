package route

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"imwatch/event"
)

// Target is one receiver that an alert goes to.
type Target struct {
	Receiver string
	Repeat   time.Duration // how often it is told again while it fires
	Group    Group         // what it is told with
}

// Tree is a compiled route. Immutable and safe for concurrent use.
type Tree struct {
	matchers  []Matcher
	receivers []string
	repeat    repeats
	grouping  grouping
	path      []byte // the conditions from the top to here
	steps     []Escalation
	cont      bool
	children  []*Tree
}

// repeats is how often something is told again: by severity, else by the interval for all.
type repeats struct {
	all time.Duration
	by  Repeats
}

func (r repeats) of(severity string) time.Duration {
	switch severity {
	case "critical":
		return cmp.Or(r.by.Critical, r.all)
	case "high":
		return cmp.Or(r.by.High, r.all)
	case "warn":
		return cmp.Or(r.by.Warn, r.all)
	case "info":
		return cmp.Or(r.by.Info, r.all)
	}
	return r.all
}

// under gives what a route has with what stands above it. An interval for all takes the place of those by severity
// from above.
func (r repeats) under(c Config) repeats {
	if c.RepeatInterval > 0 {
		r = repeats{all: c.RepeatInterval}
	}
	r.by = Repeats{
		Critical: cmp.Or(c.Repeat.Critical, r.by.Critical), High: cmp.Or(c.Repeat.High, r.by.High),
		Warn: cmp.Or(c.Repeat.Warn, r.by.Warn), Info: cmp.Or(c.Repeat.Info, r.by.Info),
	}
	return r
}

// New compiles a configuration.
func New(c Config) (*Tree, error) {
	return compile(c, &Tree{
		repeat: repeats{all: DefaultRepeat}, grouping: grouping{wait: DefaultGroupWait, every: DefaultGroupInterval},
	})
}

// compile makes a route below another one, whose settings it has where it says nothing itself.
func compile(c Config, above *Tree) (*Tree, error) {
	t := &Tree{cont: c.Continue, receivers: above.receivers, repeat: above.repeat.under(c), grouping: above.grouping, path: slices.Clone(above.path), steps: above.steps}
	if c.Escalate != nil {
		t.steps = nil
	}
	for i := range c.Escalate {
		s, err := c.Escalate[i].compile()
		if err != nil {
			return nil, err
		}
		t.steps = append(t.steps, s)
	}
	for _, text := range c.Match {
		m, err := ParseMatcher(text)
		if err != nil {
			return nil, fmt.Errorf("reading matcher: %w", err)
		}
		t.matchers = append(t.matchers, m)
		t.path = appendPart(t.path, text)
	}
	if len(c.Receivers) > 0 {
		t.receivers = c.Receivers
	}
	if len(c.GroupBy) > 0 {
		g, err := newGrouping(c.GroupBy)
		if err != nil {
			return nil, fmt.Errorf("group_by%w", err)
		}
		g.wait, g.every, g.prefix = t.grouping.wait, t.grouping.every, slices.Clone(t.path)
		for _, name := range c.GroupBy {
			g.prefix = appendPart(g.prefix, name)
		}
		t.grouping = g
	}
	t.grouping.wait = cmp.Or(c.GroupWait, t.grouping.wait)
	t.grouping.every = cmp.Or(c.GroupInterval, t.grouping.every)
	for i := range c.Routes {
		child, err := compile(c.Routes[i], t)
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
		found = t.add(found, a)
	}
	return found, true
}

func (t *Tree) add(found []Target, a *event.Alert) []Target {
	if len(t.receivers) == 0 {
		return found
	}
	repeat, group := t.repeat.of(a.Severity), t.grouping.group(a)
	for _, name := range t.receivers {
		if !slices.ContainsFunc(found, func(f Target) bool { return f.Receiver == name }) {
			found = append(found, Target{name, repeat, group.For(name)})
		}
	}
	return found
}
