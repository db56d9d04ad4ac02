package shiptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"imwatch/event"
	"imwatch/shipper"
	"imwatch/shipper/parse"
)

// Results of a line.
const (
	resultEvent      = "event"
	resultDeadLetter = "dead_letter"
	resultSampled    = "sampled"
	resultIgnored    = "ignored"
	resultEmpty      = "empty"
)

// result is what became of a line.
type result struct {
	name     string
	number   int // of its first line
	lines    int // that belong together
	offset   int64
	result   string
	record   []byte       // of an event
	event    *event.Event // of an event
	fault    parse.LineError
	original string // of a dead letter, as it would be kept
}

// Summary counts results.
type Summary struct{ Lines, Events, DeadLetters, Sampled, Ignored, Empty int }

// String gives the counts that are not 0.
func (s Summary) String() string {
	parts := []string{count(s.Events, "event"), count(s.DeadLetters, "dead letter")}
	for _, x := range []struct {
		n    int
		what string
	}{{s.Sampled, resultSampled}, {s.Ignored, resultIgnored}, {s.Empty, resultEmpty}} {
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

// Sample reads lines as the shipper would, those that belong together as one, and writes the result of each.
func (t *Tester) Sample(in io.Reader, name string, src shipper.Source, out Output) (Summary, error) {
	var sum Summary
	p, err := src.Parser(t.node(src), t.stages.Stages, t.now)
	if err != nil {
		return sum, err //nolint:wrapcheck // each fault names its key
	}
	cut, err := src.Lines()
	if err != nil {
		return sum, err //nolint:wrapcheck // each fault names its key
	}
	lines, offset, text, last := bufio.NewReaderSize(in, 1<<20), int64(0), "", false
	for !last || text != "" {
		raw, line := cut.First(text, last)
		if raw == "" {
			more, err := lines.ReadString('\n')
			if last = errors.Is(err, io.EOF); err != nil && !last {
				return sum, fmt.Errorf("reading %s: %w", name, err)
			}
			text += more
			continue
		}
		r := t.read(p, line, parse.Origin{File: name, Offset: offset, Generation: "sample"})
		r.name, r.number, r.lines, r.offset = name, sum.Lines+1, countLines(raw), offset
		sum.Lines += r.lines
		sum.add(r.result)
		if err := out.line(r); err != nil {
			return sum, fmt.Errorf("writing the results: %w", err)
		}
		offset += int64(len(raw))
		text = text[len(raw):]
	}
	return sum, nil
}

// countLines counts lines, the last of which may lack its newline.
func countLines(text string) int {
	return strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1
}

func (s *Summary) add(result string) {
	switch result {
	case resultEvent:
		s.Events++
	case resultDeadLetter:
		s.DeadLetters++
	case resultSampled:
		s.Sampled++
	case resultIgnored:
		s.Ignored++
	default:
		s.Empty++
	}
}

// read gives what becomes of a line.
func (t *Tester) read(p parse.Parser, line string, at parse.Origin) result {
	r := result{result: resultEmpty, event: &event.Event{}}
	if strings.TrimSpace(line) == "" {
		return r
	}
	rec, err := p.Parse(nil, r.event, line, at)
	switch {
	case err == nil:
		r.result, r.record = resultEvent, rec
	case errors.Is(err, parse.ErrSampled):
		r.result = resultSampled
	case errors.Is(err, parse.ErrIgnored):
		r.result = resultIgnored
	default:
		var ok bool
		if r.fault, ok = parse.FaultOf(err); !ok {
			r.fault = parse.LineError{Reason: "unknown", Detail: err.Error()}
		}
		r.result, r.original, r.fault.Detail = resultDeadLetter, t.stages.Original(line), t.stages.Original(r.fault.Detail)
	}
	return r
}
