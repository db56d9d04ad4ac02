// Command alerting hands the same alerts to imwatch's alerting and to Prometheus' Alertmanager, one webhook behind each, and
// compares what came, how soon, and what it cost.
//
//	bench/alerting/run.sh [--active 10000] [--storm 5000] [--grouped]
//
// Alertmanager is Debian's package. Each is a process of its own, told the same 1,000 silences and 200 inhibition rules.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		if err := serve(os.Args[2], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "serve:", err)
			os.Exit(1)
		}
		return
	}
	var b bench
	flag.IntVar(&b.active, "active", 10_000, "alerts that are handed in at once")
	flag.IntVar(&b.storm, "storm", 5_000, "alerts that are handed in evenly over the time of --for")
	flag.DurationVar(&b.span, "for", time.Minute, "how long the storm lasts")
	flag.IntVar(&b.silences, "silences", 1_000, "silences, each of which holds one alert")
	flag.IntVar(&b.rules, "inhibit", 200, "inhibition rules; a tenth of them have a source that fires")
	flag.StringVar(&b.peer, "alertmanager", "prometheus-alertmanager", "Alertmanager's program")
	flag.BoolVar(&b.grouped, "grouped", false, "group by rule with the 30s of group_wait and 5m of group_interval that both have by default, in place of each alert by itself; ours to a WeCom robot, as programs are told each alert")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	active, storm, silences, rules int
	span                           time.Duration
	peer                           string
	grouped                        bool

	load int // alerts of the run under way
}

// patience is for how long nothing may come before something is wrong.
func (b *bench) patience() time.Duration {
	if b.grouped {
		return 6 * time.Minute
	}
	return 20 * time.Second
}

// contender is one of the two, running.
type contender interface {
	// hand gives it alerts, and returns when it has them.
	hand(ctx context.Context, alerts []alert) error
	pid() int
	close() error
}

func (b *bench) run(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "%d silences, %d inhibition rules; %s\n\n", b.silences, b.rules, time.Now().Format(time.DateOnly))
	fmt.Fprintln(out, "| | alerts | told | notifications | P50 ms | P99 ms | all told after s | CPU s | peak MiB |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, load := range []struct {
		name   string
		alerts int
		span   time.Duration
	}{{"at once", b.active, 0}, {"in " + b.span.String(), b.storm, b.span}} {
		if b.grouped && load.span > 0 {
			break // it would end with the group_interval
		}
		for _, c := range []struct {
			name string
			open func(context.Context, *bench, string, *hook) (contender, error)
		}{{"imwatch", openOurs}, {"Alertmanager", openPeer}} {
			row, err := b.measure(ctx, c.open, load.alerts, load.span)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, load.name, err)
			}
			fmt.Fprintf(out, "| %s, %s | %d | %s |\n", c.name, load.name, load.alerts, row)
		}
	}
	return nil
}

// measure runs one contender under one load.
func (b *bench) measure(ctx context.Context, open func(context.Context, *bench, string, *hook) (contender, error), alerts int, span time.Duration) (row string, err error) {
	dir, err := os.MkdirTemp("", "imwatch-bench-")
	if err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	h := newHook()
	defer h.close()
	b.load = alerts
	c, err := open(ctx, b, dir, h)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.close()) }()

	sources := b.sources()
	if err := c.hand(ctx, sources); err != nil {
		return "", err
	}
	if err := h.wait(ctx, len(sources), b.patience()); err != nil {
		return "", fmt.Errorf("the sources of inhibition: %w", err)
	}
	h.forget()
	before, err := cpuSeconds(c.pid())
	if err != nil {
		return "", err
	}
	all := b.alerts(alerts)
	began := time.Now()
	if err := b.handIn(ctx, c, h, all, span); err != nil {
		return "", err
	}
	want := 0
	for _, a := range all {
		if !a.held {
			want++
		}
	}
	if err := h.wait(ctx, want, b.patience()); err != nil {
		return "", err
	}
	took := time.Since(began)
	if err := h.quiet(ctx); err != nil { // nothing that is held may come later
		return "", err
	}
	after, err := cpuSeconds(c.pid())
	if err != nil {
		return "", err
	}
	peak, err := peakMiB(c.pid())
	if err != nil {
		return "", err
	}
	s, err := h.summary(all, !b.grouped)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d | %d | %.0f | %.0f | %.1f | %.1f | %.0f", s.told, s.calls, s.p50, s.p99, took.Seconds(), after-before, peak), nil
}

// batch is how many alerts are handed in by one call.
const batch = 100

// handIn hands in alerts, as fast as they are taken or evenly over a time.
func (b *bench) handIn(ctx context.Context, c contender, h *hook, all []alert, span time.Duration) error {
	size := batch
	if span > 0 {
		size = 10
	}
	began := time.Now()
	for i := 0; i < len(all); i += size {
		part := all[i:min(i+size, len(all))]
		if span > 0 {
			due := began.Add(span * time.Duration(i) / time.Duration(len(all)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		h.handed(part)
		if err := c.hand(ctx, part); err != nil {
			return err
		}
	}
	return nil
}
