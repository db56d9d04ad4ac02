package backtest

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
)

// Options say what is run and where results go.
type Options struct {
	Rules []*rule.Rule // disabled ones are left out, shadow ones are run
	// From and To bound the events taken in, From included, To not; zero: open. The clock runs on to To; without it,
	// it ends at the greatest event time.
	From, To time.Time
	Out      io.Writer // alert lines; nil: none are written
	Query    bool      // evaluate as the query evaluator does, on a store; default as the stream does
}

// never comes after every line.
const never = window.Never

// run is one backtest under way.
type run struct {
	options Options
	engine  *engine.Engine
	summary *Summary
	out     *bufio.Writer
	waiting []*event.Alert // until no earlier one can follow
}

func newRun(o Options, name string) (*run, error) {
	r := &run{options: o, summary: newSummary(name), out: bufio.NewWriter(orDiscard(o.Out))}
	var err error
	r.engine, err = engine.New(o.Rules, engine.Options{
		File:     true,
		From:     nanos(o.From),
		To:       nanos(o.To),
		Late:     r.summary.late,
		Overflow: r.summary.overflow,
		Fault:    r.summary.fault,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the backtest: %w", err)
	}
	return r, nil
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func (r *run) observe(partition int, ev *event.Event) {
	r.summary.count(r.engine.Observe(partition, ev, 0))
}

// advance evaluates what can be, and writes what no earlier line can follow.
func (r *run) advance() error {
	return r.write(r.engine.Advance(), r.engine.Watermark())
}

// finish evaluates the rest and writes everything.
func (r *run) finish() error {
	end := r.engine.Greatest()
	if !r.options.To.IsZero() {
		end = r.options.To.UnixNano()
	}
	if end != window.None {
		if err := r.write(r.engine.Finish(end), never); err != nil {
			return err
		}
	}
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("writing alerts: %w", err)
	}
	return nil
}

// write takes state changes and writes those before an instant, in order.
func (r *run) write(alerts []*event.Alert, before int64) error {
	for _, a := range alerts {
		r.summary.alert(a)
	}
	r.waiting = append(r.waiting, alerts...)
	slices.SortStableFunc(r.waiting, engine.Order)
	n := 0
	for ; n < len(r.waiting) && (before == never || r.waiting[n].Time.UnixNano() < before); n++ {
		line, err := r.waiting[n].MarshalJSON()
		if err != nil {
			return fmt.Errorf("writing alerts: %w", err)
		}
		if _, err := r.out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("writing alerts: %w", err)
		}
	}
	r.waiting = slices.Delete(r.waiting, 0, n)
	return nil
}
