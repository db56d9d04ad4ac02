// Command detector measures the detection engine beside ElastAlert2 from PyPI, on the same events in the same run: its
// rule classes FrequencyRule and CardinalityRule are driven with dicts, as its own tests do. Both give which keys of
// which rule fired; these must be the same. It prints a table in Markdown.
//
//	bench/detector/run.sh [--events 20000] [--keys 2000]
//
// makes a virtual environment with elastalert2 for that.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

func main() {
	var b bench
	flag.IntVar(&b.events, "events", 20_000, "how many events")
	flag.IntVar(&b.keys, "keys", 2_000, "how many addresses they come from")
	flag.StringVar(&b.python, "python", "python3", "a Python that has elastalert2")
	flag.Parse()
	if err := b.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	events, keys int
	python       string
}

// measured is what one of the two did.
type measured struct {
	Name  string      `json:"name"`
	CPU   float64     `json:"cpu_seconds"`
	Fired [][2]string `json:"fired"` // rule and key
}

func (b *bench) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "imwatch-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lines := filepath.Join(dir, "events.jsonl")
	events, err := b.generate(lines)
	if err != nil {
		return err
	}
	ours, err := evaluate(events)
	if err != nil {
		return err
	}
	theirs, err := b.elastalert(ctx, lines)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%d events of %d addresses through %d rules\n\n| | CPU s | events/CPU s | rule and key pairs that fired |\n| --- | --- | --- | --- |\n", b.events, b.keys, len(limits())+1)
	for _, m := range []measured{ours, theirs} {
		fmt.Fprintf(os.Stdout, "| %s | %.2f | %.0f | %d |\n", m.Name, m.CPU, float64(b.events)/m.CPU, len(m.Fired))
	}
	fmt.Fprintf(os.Stdout, "\nratio: %.0f\n", theirs.CPU/ours.CPU)
	only := func(x, y measured) []([2]string) {
		return slices.DeleteFunc(slices.Clone(x.Fired), func(p [2]string) bool { return slices.Contains(y.Fired, p) })
	}
	if a, c := only(ours, theirs), only(theirs, ours); len(a)+len(c) > 0 {
		return fmt.Errorf("not the same fired: only ours %v, only theirs %v", a, c)
	}
	return nil
}

// limits are those of the threshold rules, over a minute; one rule more counts distinct users.
func limits() []int { return []int{10, 15, 20, 30} }

// generate makes events, some keys with many, and writes them as lines.
func (b *bench) generate(path string) ([]*event.Event, error) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	events := make([]*event.Event, b.events)
	for i := range events {
		key := r.IntN(b.keys)
		if r.IntN(10) == 0 {
			key = r.IntN(b.keys/200 + 1) // these pass limits
		}
		e := &event.Event{}
		e.Begin(event.ActionHandshakeFailure, start.Add(time.Duration(i)*time.Millisecond+time.Duration(r.IntN(1000))*time.Microsecond))
		e.SetText(event.FieldEventID, fmt.Sprintf("im-1-0-%010d", i))
		e.SetText(event.FieldServiceNode, "im-1")
		e.SetText(event.FieldClientIP, fmt.Sprintf("10.%d.%d.%d", key>>16, key>>8&255, key&255))
		e.SetText(event.FieldUserID, fmt.Sprintf("u%d", r.IntN(100)))
		events[i] = e
		out.Write(append(e.AppendJSON(nil), '\n'))
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("writing events: %w", err)
	}
	return events, nil
}

func evaluate(events []*event.Event) (measured, error) {
	m := measured{Name: "imwatch"}
	var text bytes.Buffer
	for _, n := range limits() {
		fmt.Fprintf(&text, "id: count-%d\ntitle: x\nseverity: warn\ngroup_by: [client.ip]\ndetect: {threshold: {count: '>= %d', window: 1m}}\n---\n", n, n)
	}
	text.WriteString("id: users\ntitle: x\nseverity: warn\ngroup_by: [client.ip]\ndetect: {cardinality: {field: user.id, is: '> 12', window: 1m}}\n")
	rules, findings := rule.Parse("bench.yaml", text.Bytes())
	if rule.HasErrors(findings) {
		return m, fmt.Errorf("the rules are bad: %v", findings)
	}
	e, err := engine.New(rules, engine.Options{})
	if err != nil {
		return m, fmt.Errorf("making the engine: %w", err)
	}
	began := cpu()
	var alerts []*event.Alert
	for i, ev := range events {
		if e.Observe(0, ev, 0); i%1000 == 999 {
			alerts = append(alerts, e.Advance()...)
		}
	}
	alerts = append(alerts, e.Finish(e.Greatest())...)
	m.CPU = (cpu() - began).Seconds()
	for _, a := range alerts {
		if a.State == event.StateFiring {
			m.Fired = append(m.Fired, [2]string{a.RuleID, a.Key[0].Value})
		}
	}
	m.Fired = distinct(m.Fired)
	return m, nil
}

func (b *bench) elastalert(ctx context.Context, lines string) (measured, error) {
	m := measured{}
	args := []string{"bench/detector/peer.py", lines}
	for _, n := range limits() {
		args = append(args, fmt.Sprint(n))
	}
	cmd := exec.CommandContext(ctx, b.python, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("running ElastAlert2's rule classes: %w", err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("reading what they fired: %w", err)
	}
	m.Fired = distinct(m.Fired)
	return m, nil
}

func distinct(pairs [][2]string) [][2]string {
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(pairs)
}

// cpu is the processor time of this process so far, the collector's included.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
