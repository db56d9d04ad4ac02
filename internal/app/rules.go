package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"imwatch/detector/backtest"
	"imwatch/detector/rule"
	"imwatch/detector/ruletest"
	"imwatch/internal/bus"
	"imwatch/rules"
)

// loadRules reads files and folders; without any, the shipped rules.
func loadRules(paths []string) ([]*rule.Rule, []rule.Finding) {
	if len(paths) == 0 {
		return rule.LoadFS(rules.Files())
	}
	return rule.Load(paths...)
}

// LintRules checks rule files and prints what it finds. Errors make it return ErrFindings; warnings do not.
func LintRules(paths []string, format string, streams Streams) error {
	loaded, findings := loadRules(paths)
	findings = append(findings, rule.CheckCalendars(loaded, time.Now())...)
	write := rule.WriteText
	if format == "json" {
		write = rule.WriteJSON
	}
	if err := write(streams.Out, findings); err != nil {
		return err
	}
	if rule.HasErrors(findings) {
		return ErrFindings
	}
	fmt.Fprintf(streams.Err, "%d rules, no errors\n", len(loaded))
	return nil
}

// TestOptions are the flags of rules test.
type TestOptions struct {
	JUnit    string // file for the result as JUnit XML; "": none
	Coverage bool   // say also what was never exercised
}

// TestRules runs the tests inside rules and says what they exercise. A rule that cannot be loaded, or whose tests
// fail, makes it return ErrFindings; the others are run all the same.
func TestRules(paths []string, o TestOptions, streams Streams) error {
	loaded, findings := loadRules(paths)
	if err := rule.WriteText(streams.Err, findings); err != nil {
		return err
	}
	report := ruletest.Run(loaded)
	if err := report.WriteText(streams.Out); err != nil {
		return err
	}
	if err := report.WriteCoverage(streams.Out, o.Coverage); err != nil {
		return err
	}
	if o.JUnit != "" {
		report.Refused = errorsOf(findings)
		var buf bytes.Buffer
		if err := report.WriteJUnit(&buf); err != nil {
			return err
		}
		if err := os.WriteFile(o.JUnit, buf.Bytes(), 0o600); err != nil {
			return fmt.Errorf("writing the JUnit report: %w", err)
		}
	}
	if rule.HasErrors(findings) || len(report.Failed()) > 0 {
		return ErrFindings
	}
	return nil
}

func errorsOf(findings []rule.Finding) []rule.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f rule.Finding) bool { return f.Severity != rule.FindingError })
}

// BacktestOptions are the flags of rules backtest.
type BacktestOptions struct {
	Rules    string // file or folder; "": the shipped rules
	Events   string // a file, "-", "kafka" or "store"
	Data     string // with kafka or store: the data folder of up instead of the cluster
	From, To time.Time
	Mode     string // stream or query
	Out      string // file; "": standard output
	Against  string // another version of the rules, file or folder; "": nothing is compared
}

// BacktestKeys are the parts of the configuration that a backtest needs.
func BacktestKeys(events string) []string {
	switch events {
	case "kafka":
		return []string{"log", "kafka"}
	case "store":
		return []string{"log", "elasticsearch"}
	}
	return []string{"log"}
}

// Backtest runs rules over past events and writes one alert state change a line, a summary on Err. A bad rule makes it
// return ErrFindings after the others have been run.
func Backtest(ctx context.Context, cfg Config, o BacktestOptions, streams Streams) (err error) {
	var paths []string
	if o.Rules != "" {
		paths = []string{o.Rules}
	}
	loaded, findings := loadRules(paths)
	if err := rule.WriteText(streams.Err, findings); err != nil {
		return err
	}
	out := streams.Out
	if o.Out != "" {
		f, err := createFile(o.Out)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	options := backtest.Options{Rules: loaded, From: o.From, To: o.To, Out: out, Query: o.Mode == "query"}
	if o.Against != "" {
		before, found := rule.Load(o.Against)
		if err := rule.WriteText(streams.Err, found); err != nil {
			return err
		}
		findings = append(findings, found...)
		options.Against, options.AgainstName = append([]*rule.Rule{}, before...), o.Against
	}
	s := newSite(cfg, streams)
	defer func() { err = errors.Join(err, s.close()) }()
	summary, err := s.backtest(ctx, o, options)
	if err != nil {
		return err
	}
	if err := summary.WriteText(streams.Err); err != nil {
		return err
	}
	if rule.HasErrors(findings) {
		return ErrFindings
	}
	return nil
}

func (s *site) backtest(ctx context.Context, o BacktestOptions, options backtest.Options) (*backtest.Summary, error) {
	switch o.Events {
	case "kafka":
		if err := s.openFor(o.Data, s.openBroker, s.openKafka); err != nil {
			return nil, err
		}
		return backtest.Topic(ctx, s.bus, bus.TopicLifecycle, options)
	case "store":
		if err := s.openFor(o.Data, s.openStore, s.openElastic); err != nil {
			return nil, err
		}
		return backtest.Store(ctx, s.store, options)
	case "-":
		return backtest.File(ctx, s.streams.In, "standard input", options)
	}
	f, err := os.Open(o.Events)
	if err != nil {
		return nil, Usagef("reading events: %w", err)
	}
	defer f.Close()
	return backtest.File(ctx, io.Reader(f), o.Events, options)
}

// openFor opens the embedded part below a data folder, or the configured one where none is named.
func (s *site) openFor(data string, embedded, configured func() error) error {
	if data == "" {
		return configured()
	}
	if _, err := os.Stat(data); err != nil {
		return Usagef("--data: %w", err)
	}
	s.cfg.moveBelow(data)
	return embedded()
}
