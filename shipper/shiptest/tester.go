package shiptest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/shipper"
)

// Tester reads lines by a configuration. Make one with New, close it.
type Tester struct {
	cfg   shipper.Config
	trial *shipper.Trial
}

// New makes ready what the configuration names, databases included. host is the node of sources that name none; log is
// told of what cannot be read.
func New(cfg shipper.Config, host string, log logrus.FieldLogger, now func() time.Time) (*Tester, error) {
	trial, err := cfg.OpenTrial(host, log, now)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the key
	}
	return &Tester{cfg: cfg, trial: trial}, nil
}

// Close lets go of the databases.
func (t *Tester) Close() error {
	return t.trial.Close() //nolint:wrapcheck // it names the database
}

// outcome is how a test ended.
type outcome struct {
	place              string // where it stands
	source, test, line string
	failures           []string // none: it holds
	got                string   // what the line became
}

// Place says where a test of a source stands, by their numbers; "": nobody knows.
type Place func(source, test int) string

// Tests runs the tests of all sources, without sampling, writes each one's outcome, and gives how many there are and
// how many failed.
func (t *Tester) Tests(out Output, place Place) (ran, failed int, err error) {
	for n, src := range t.cfg.Sources {
		for i, test := range src.Tests {
			o, err := t.test(src, test)
			if err != nil {
				return ran, failed, err
			}
			o.place, o.source, o.line = place(n, i), src.Label(), test.Line
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

func (t *Tester) test(src shipper.Source, test shipper.Test) (outcome, error) {
	r := result{Outcome: shipper.Outcome{Result: shipper.TriedEmpty}, event: &event.Event{}}
	n, second := 0, ""
	err := t.trial.Text(test.Line, src, func(o shipper.Outcome) (err error) {
		if n++; n == 1 {
			o.Record = slices.Clone(o.Record)
			r, err = newResult(o, "test")
		} else if o.Result != shipper.TriedEmpty && second == "" {
			second, _, _ = strings.Cut(o.Raw, "\n")
			second = fmt.Sprintf("line %d, %q", o.Line, strings.TrimRight(second, "\r"))
		}
		return err
	})
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", src.Label(), err)
	}
	if second != "" {
		return outcome{failures: []string{"it is not one event: the next begins with " + second}}, nil
	}
	want := shipper.TriedEvent
	switch {
	case test.DeadLetter != "":
		want = "dead letter for " + test.DeadLetter
	case test.Ignored:
		want = shipper.TriedIgnored
	}
	got := r.Result
	o := outcome{got: string(r.Record)}
	if got == shipper.TriedDeadLetter {
		got, o.got = "dead letter for "+r.Reason, r.Detail
	}
	if got != want {
		o.failures = append(o.failures, fmt.Sprintf("it became: %s, expected: %s", got, want))
	} else if got == shipper.TriedEvent {
		o.failures = compare(r.event, test.Expect)
	}
	return o, nil
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
