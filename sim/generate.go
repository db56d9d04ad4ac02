package sim

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"
)

// DefaultStart gives the first instant of generated events unless another one is given. It is fixed, so that a seed
// alone makes a file repeatable; give a recent instant to feed a pipeline that honours retention.
func DefaultStart() time.Time { return time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC) }

// GenerateOptions changes what a scenario says. The zero value changes nothing.
type GenerateOptions struct {
	Start    time.Time     // first instant, default [DefaultStart]
	Duration time.Duration // default the scenario's
	Nodes    int           // default the scenario's
	Users    int           // default the scenario's
	// Count, if not 0, is the exact number of lines: the run then lasts as long as that takes, and Duration is not
	// looked at. It must leave room for the scenario's troubles.
	Count int64
	// Progress, if not nil, is called every 100,000 lines with the lines so far and the moment reached.
	Progress func(lines int64, at time.Time)
}

// Summary says what was generated.
type Summary struct {
	Lines    int64            `json:"lines"`
	From     time.Time        `json:"from"`
	To       time.Time        `json:"to"`
	ByAction map[string]int64 `json:"by_action"`
	Labels   []Label          `json:"labels"`
}

// Generate writes the event lines that the scenario's fleet would leave in the logs of its servers to out, merged in
// order of time, and the truth to labels (which may be nil) at the end. Equal scenario, seed and options give equal
// bytes. Each node's lines are in order of event.id; every connect has exactly one end, for the last act is that all
// nodes drain. On an error, lines written so far are whole but for the last one.
func Generate(ctx context.Context, s Scenario, seed uint64, out, labels io.Writer, o GenerateOptions) (Summary, error) {
	s, err := o.apply(s)
	if err != nil {
		return Summary{}, err
	}
	w := bufio.NewWriterSize(out, 1<<18)
	g := newGenerator(s, seed, w, o)
	if err := g.run(ctx); err != nil {
		return Summary{}, fmt.Errorf("generating scenario %s: %w", s.Name, err)
	}
	if err := w.Flush(); err != nil {
		return Summary{}, fmt.Errorf("writing events: %w", err)
	}
	sum := g.summary()
	if labels != nil {
		if err := WriteLabels(labels, sum.Labels); err != nil {
			return Summary{}, err
		}
	}
	return sum, nil
}

func (o GenerateOptions) apply(s Scenario) (Scenario, error) {
	if o.Duration < 0 || o.Nodes < 0 || o.Users < 0 || o.Count < 0 {
		return s, fmt.Errorf("duration %v, nodes %d, users %d and count %d must not be negative", o.Duration, o.Nodes, o.Users, o.Count)
	}
	if o.Duration > 0 {
		s.Duration = o.Duration
		s.Ramp = min(s.Ramp, s.Duration)
	}
	if o.Nodes > 0 {
		s.Nodes = o.Nodes
	}
	if o.Users > 0 {
		s.Users = o.Users
	}
	return s, s.Validate()
}
