package shiptest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/shipper"
	"imwatch/shipper/parse"
)

// Tester reads lines by a configuration. Make one with New, close it.
type Tester struct {
	cfg    shipper.Config
	host   string
	stages *shipper.Stages
	now    func() time.Time
}

// New makes ready what the configuration names, databases included. host is the node of sources that name none.
func New(cfg shipper.Config, host string, now func() time.Time) (*Tester, error) {
	stages, err := cfg.OpenStages(now())
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the key
	}
	return &Tester{cfg: cfg, host: host, stages: stages, now: now}, nil
}

// Close lets go of the databases.
func (t *Tester) Close() error {
	return t.stages.Close() //nolint:wrapcheck // it names the database
}

func (t *Tester) node(src shipper.Source) string {
	if src.Node == "" {
		return t.host
	}
	return src.Node
}

// outcome is how a test ended.
type outcome struct {
	source, test, line string
	failures           []string // none: it holds
	got                string   // what the line became
}

// Tests runs the tests of all sources, without sampling, writes each one's outcome, and gives how many there are and
// how many failed.
func (t *Tester) Tests(out Output) (ran, failed int, err error) {
	for _, src := range t.cfg.Sources {
		stages := t.stages.Stages
		stages.Sample = nil
		p, err := src.Parser(t.node(src), stages, t.now)
		if err != nil {
			return ran, failed, err //nolint:wrapcheck // each fault names its key
		}
		cut, err := src.Lines()
		if err != nil {
			return ran, failed, err //nolint:wrapcheck // each fault names its key
		}
		for i, test := range src.Tests {
			o := t.test(p, cut, test)
			o.source, o.line = src.Label(), test.Line
			if o.test = test.Name; o.test == "" {
				o.test = fmt.Sprintf("tests[%d]", i)
			}
			ran++
			if len(o.failures) > 0 {
				failed++
			}
			if err := out.test(o); err != nil {
				return ran, failed, fmt.Errorf("writing the outcome: %w", err)
			}
		}
	}
	return ran, failed, nil
}

func (t *Tester) test(p parse.Parser, cut shipper.Lines, test shipper.Test) outcome {
	raw, line := cut.First(test.Line, true)
	if second := strings.TrimRight(test.Line[len(raw):], "\r\n"); second != "" {
		second, _, _ = strings.Cut(second, "\n")
		return outcome{failures: []string{fmt.Sprintf("it is not one event: the next begins with line %d, %q", countLines(raw)+1, second)}}
	}
	r := t.read(p, line, parse.Origin{File: "test", Generation: "test"})
	want := resultEvent
	switch {
	case test.DeadLetter != "":
		want = "dead letter for " + test.DeadLetter
	case test.Ignored:
		want = resultIgnored
	}
	got := r.result
	o := outcome{got: string(r.record)}
	if r.result == resultDeadLetter {
		got, o.got = "dead letter for "+r.fault.Reason, r.fault.Detail
	}
	if got != want {
		o.failures = append(o.failures, fmt.Sprintf("it became: %s, expected: %s", got, want))
	} else if got == resultEvent {
		o.failures = compare(r.event, test.Expect)
	}
	return o
}

// compare says in which fields an event differs from what is expected.
func compare(e *event.Event, expect map[string]string) []string {
	var failures []string
	for _, name := range slices.Sorted(maps.Keys(expect)) {
		want := expect[name]
		v, there := e.Lookup(name)
		switch got := text(v); {
		case !there && want == "", there && same(v, got, want):
		case !there:
			failures = append(failures, fmt.Sprintf("%s: the event lacks it, expected %q", name, want))
		case want == "":
			failures = append(failures, fmt.Sprintf("%s: found %q, expected none", name, got))
		default:
			failures = append(failures, fmt.Sprintf("%s: found %q, expected %q", name, got, want))
		}
	}
	return failures
}

// same says whether a value is the one expected, however it is spelt.
func same(v event.Value, got, want string) bool {
	if got == want {
		return true
	}
	if v.List != nil {
		return false
	}
	parsed, ok := event.Parse(v.Type, want)
	return ok && v.Type != event.Keyword && parsed.Canonical() == v.Canonical()
}

// text gives a value, lists with commas between.
func text(v event.Value) string {
	var all []string
	v.Each(func(one event.Value) bool {
		all = append(all, one.Text)
		return true
	})
	return strings.Join(all, ",")
}
