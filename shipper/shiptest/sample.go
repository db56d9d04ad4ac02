package shiptest

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"imwatch/event"
	"imwatch/shipper"
)

// result is what became of a line.
type result struct {
	shipper.Outcome
	name  string
	event *event.Event // of an event, as it is sent
}

func newResult(o shipper.Outcome, name string) (result, error) {
	r := result{Outcome: o, name: name, event: &event.Event{}}
	if o.Result != shipper.TriedEvent {
		return r, nil
	}
	if err := event.DecodeString(string(o.Record), r.event); err != nil {
		return r, fmt.Errorf("reading the event that line %d becomes: %w", o.Line, err)
	}
	return r, nil
}

// Summary counts results. Cut lines are among the events, or were sampled.
type Summary struct{ Lines, Events, Cut, DeadLetters, Sampled, Ignored, Empty int }

// String gives the counts that are not 0.
func (s Summary) String() string {
	parts := []string{count(s.Events, "event"), count(s.DeadLetters, "dead letter")}
	for _, x := range []struct {
		n    int
		what string
	}{{s.Cut, "cut"}, {s.Sampled, shipper.TriedSampled}, {s.Ignored, shipper.TriedIgnored}, {s.Empty, shipper.TriedEmpty}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return count(s.Lines, "line") + ": " + strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Pick gives the source that reads a file: the one that is named, the only one, or the only one whose paths fit the
// file's name.
func Pick(sources []shipper.Source, name, file string) (shipper.Source, error) {
	var fit []shipper.Source
	var labels []string
	for _, s := range sources {
		labels = append(labels, s.Label())
		if name == s.Label() && name != "" {
			return s, nil
		}
		for _, p := range s.Paths {
			if ok, err := filepath.Match(filepath.Base(p), filepath.Base(file)); err == nil && ok {
				fit = append(fit, s)
				break
			}
		}
	}
	all := strings.Join(labels, ", ")
	switch {
	case name != "":
		hint := ""
		if near := event.Nearest(name, labels); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return shipper.Source{}, fmt.Errorf("there is no source %q, only %s%s", name, all, hint)
	case len(sources) == 1:
		return sources[0], nil
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return shipper.Source{}, fmt.Errorf("several sources have a path that fits %s; name one of %s", filepath.Base(file), all)
	}
	return shipper.Source{}, fmt.Errorf("no source has a path that fits %s; name one of %s", filepath.Base(file), all)
}

// File reads a file as the shipper reads those of the source, and writes what becomes of each line.
func (t *Tester) File(path string, src shipper.Source, out Output) (sum Summary, err error) {
	err = t.trial.File(path, src, sum.write(path, out))
	return sum, err //nolint:wrapcheck // it says what was done
}

// Stream reads a stream as the shipper reads what comes otherwise than in files, and writes what becomes of each line.
func (t *Tester) Stream(ctx context.Context, in io.Reader, name string, src shipper.Source, out Output) (sum Summary, err error) {
	err = t.trial.Stream(ctx, in, src, sum.write(name, out))
	return sum, err //nolint:wrapcheck // it says what was done
}

// write counts and writes what becomes of the lines of a sample.
func (s *Summary) write(name string, out Output) func(shipper.Outcome) error {
	return func(o shipper.Outcome) error {
		s.add(o)
		r, err := newResult(o, name)
		if err == nil {
			err = out.line(r)
		}
		if err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
		return nil
	}
}

func (s *Summary) add(o shipper.Outcome) {
	s.Lines += o.Lines
	if o.Lines == 0 {
		return // a further piece
	}
	if o.Cut {
		s.Cut++
	}
	switch o.Result {
	case shipper.TriedEvent:
		s.Events++
	case shipper.TriedDeadLetter:
		s.DeadLetters++
	case shipper.TriedSampled:
		s.Sampled++
	case shipper.TriedIgnored:
		s.Ignored++
	default:
		s.Empty++
	}
}
