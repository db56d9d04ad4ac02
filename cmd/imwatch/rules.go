package main

import (
	"context"
	"flag"
	"time"

	"imwatch/internal/app"
)

func ruleCommands() []command {
	return []command{
		{"rules lint", "PATH…", "static checks of rule files", lintCommand},
		{"rules test", "PATH…", "runs the tests inside the rules", testCommand},
		{"rules backtest", "", "runs rules over past events: one alert state change a line, a summary on stderr", backtestCommand},
		{"rules explain", "", "why a rule did or did not fire for a key at an instant: events, value, limit, what is missing", explainCommand},
		{"rules import-sigma", "FILE…", "turns Sigma rules and correlations into rules, with an error where they cannot be expressed", sigmaCommand},
	}
}

func lintCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	format := fs.String("format", "text", "`text` or json")
	return func(_ context.Context, args []string) error {
		if *format != "text" && *format != "json" {
			return app.Usagef("--format %s: allowed are text and json", *format)
		}
		return app.LintRules(args, *format, app.Streams{Out: e.out, Err: e.err})
	}
}

func testCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	var o app.TestOptions
	fs.StringVar(&o.JUnit, "junit", "", "also write the result as JUnit XML to this `file`")
	fs.BoolVar(&o.Coverage, "coverage", false, "also say what the tests never exercise")
	return func(_ context.Context, args []string) error {
		return app.TestRules(args, o, app.Streams{Out: e.out, Err: e.err})
	}
}

func backtestCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	var o app.BacktestOptions
	fs.StringVar(&o.Rules, "rules", "", "a rule file or folder, the `path`; without it the shipped rules")
	fs.StringVar(&o.Events, "events", "", "`where` events come from: a file, - for standard input, kafka or store")
	fs.StringVar(&o.Data, "data", "", "with kafka or store: the data `folder` of imwatch up, instead of the configured cluster")
	fs.StringVar(&o.Mode, "mode", "stream", "evaluator: `stream` or query")
	fs.StringVar(&o.Out, "out", "", "write the alert lines to this `file`; without it to standard output")
	fs.StringVar(&o.Against, "against", "", "another version of the rules, the `path` of a file or folder: tell how their alerts differ")
	from := fs.String("from", "", "only events from this `time` on, RFC 3339")
	to := fs.String("to", "", "only events before this `time`, RFC 3339; the clock runs on to it")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		var err error
		if o.From, err = instant("--from", *from); err != nil {
			return err
		}
		if o.To, err = instant("--to", *to); err != nil {
			return err
		}
		if o.Events == "" {
			return app.Usagef("--events is needed: a file, -, kafka or store")
		}
		if o.Mode != "stream" && o.Mode != "query" {
			return app.Usagef("--mode %s: allowed are stream and query", o.Mode)
		}
		cfg, err := load(app.BacktestKeys(o.Events)...)
		if err != nil {
			return err
		}
		return app.Backtest(ctx, cfg, o, app.Streams{In: e.in, Out: e.out, Err: e.err})
	}
}

func explainCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	var o app.ExplainOptions
	fs.StringVar(&o.Rules, "rules", "", "a rule file or folder, the `path`; without it the shipped rules")
	fs.StringVar(&o.Rule, "rule", "", "the `id` of the rule")
	fs.Func("key", "a `field=value` of the key, once for each field of group_by; _missing for a field that events lack", func(s string) error {
		o.Key = append(o.Key, s)
		return nil
	})
	at := fs.String("at", "", "the `time` asked about, RFC 3339, or now")
	fs.StringVar(&o.Events, "events", "store", "`where` events come from: a file, - for standard input, kafka or store")
	fs.StringVar(&o.Data, "data", "", "with kafka or store: the data `folder` of imwatch up, instead of the configured cluster")
	fs.StringVar(&o.Format, "format", "text", "`text` or json")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		if o.Rule == "" || *at == "" {
			return app.Usagef("--rule and --at are needed, as in --rule handshake-failures --key client.ip=192.0.2.1 --at 2026-11-21T10:00:00Z")
		}
		if o.Format != "text" && o.Format != "json" {
			return app.Usagef("--format %s: allowed are text and json", o.Format)
		}
		var err error
		if o.At, err = instant("--at", *at); err != nil {
			return err
		}
		cfg, err := load(app.BacktestKeys(o.Events)...)
		if err != nil {
			return err
		}
		o.Alerting = func() (app.Config, error) { return load("alerting") }
		return app.Explain(ctx, cfg, o, app.Streams{In: e.in, Out: e.out, Err: e.err})
	}
}

func sigmaCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	var o app.SigmaOptions
	fs.StringVar(&o.Map, "map", "", "a `file` that maps Sigma's fields and log sources to those of events")
	fs.StringVar(&o.Out, "out", "", "write the rules to this `file`; without it to standard output")
	fs.StringVar(&o.Window, "window", "1m", "`time` without an event after which the alert of a single event is resolved")
	fs.BoolVar(&o.Strict, "strict", false, "take warnings as errors, such as that Sigma compares without regard to case")
	fs.StringVar(&o.Format, "format", "text", "`text` or json, of what is said about the files")
	return func(_ context.Context, args []string) error {
		if o.Format != "text" && o.Format != "json" {
			return app.Usagef("--format %s: allowed are text and json", o.Format)
		}
		return app.ImportSigma(args, o, app.Streams{Out: e.out, Err: e.err})
	}
}

func instant(flagName, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if s == "now" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, app.Usagef("%s %s: expected now or a time such as 2026-11-21T10:00:00Z", flagName, s)
	}
	return t, nil
}
