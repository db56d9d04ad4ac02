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
	// Against is another version of the rules, run over the same events: the summary then tells the difference. nil:
	// there is none. AgainstName is what messages call it.
	Against     []*rule.Rule
	AgainstName string
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
	against *engine.Engine // of Options.Against, nil without
	alerts  []*event.Alert // where there is something to compare: all, and those of against
	had     []*event.Alert
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
		Lost:     r.summary.lost,
		Fault:    r.summary.fault,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the backtest: %w", err)
	}
	if o.Against == nil {
		return r, nil
	}
	r.against, err = engine.New(o.Against, engine.Options{File: true, From: nanos(o.From), To: nanos(o.To)})
	if err != nil {
		return nil, fmt.Errorf("preparing the backtest of %s: %w", o.AgainstName, err)
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

var _ Sink = (*run)(nil)

// Observe takes in one record.
func (r *run) Observe(partition int, ev *event.Event) {
	r.summary.count(r.engine.Observe(partition, ev, 0))
	if r.against != nil {
		r.against.Observe(partition, ev, 0)
	}
}

// Hold tells the engines that a partition is going to be read.
func (r *run) Hold(p int) { r.each(func(e *engine.Engine) { e.Hold(p) }) }

// Release tells the engines that nothing more comes from a partition.
func (r *run) Release(p int) { r.each(func(e *engine.Engine) { e.Release(p) }) }

// each calls f for every engine.
func (r *run) each(f func(*engine.Engine)) {
	f(r.engine)
	if r.against != nil {
		f(r.against)
	}
}

// Advance evaluates what can be, and writes what no earlier line can follow.
func (r *run) Advance() error {
	if r.against != nil {
		r.had = append(r.had, r.against.Advance()...)
	}
	return r.write(r.engine.Advance(), r.engine.Watermark())
}

// finish evaluates the rest and writes everything.
func (r *run) finish() error {
	end := r.engine.Greatest()
	if !r.options.To.IsZero() {
		end = r.options.To.UnixNano()
	}
	if end != window.None {
		if r.against != nil {
			r.had = append(r.had, r.against.Finish(end)...)
		}
		if err := r.write(r.engine.Finish(end), never); err != nil {
			return err
		}
	}
	return r.close()
}

// close writes what is not written yet and compares.
func (r *run) close() error {
	if r.options.Against != nil {
		r.summary.Against = r.options.AgainstName
		r.summary.Diff = diff(r.options.Rules, r.options.Against, r.alerts, r.had)
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
	if r.options.Against != nil {
		r.alerts = append(r.alerts, alerts...)
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
