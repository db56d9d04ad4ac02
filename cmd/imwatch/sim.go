package main

import (
	"context"
	"flag"

	"imwatch/internal/app"
)

func simCommands() []command {
	return []command{
		{"sim run", "SCENARIO", "drives real connections against an IM server", simRunCommand},
		{"sim generate", "SCENARIO", "writes the events that such a fleet would leave, with the truth beside them", simGenerateCommand},
		{"score", "", "precision, recall and time to detect of alerts against the truth", scoreCommand},
	}
}

func scenarioArg(args []string) (string, error) {
	if len(args) != 1 {
		return "", app.Usagef("expected one scenario; there are %s", app.Scenarios())
	}
	return args[0], nil
}

func simRunCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	var o app.SimOptions
	fs.StringVar(&o.Target, "target", "", "the server's `address`, ws://host:port/ws/connect")
	fs.StringVar(&o.Secret, "secret", "", "`file` with the HS256 secret that signs the clients' tokens")
	fs.Uint64Var(&o.Seed, "seed", 1, "the same `number` gives the same fleet")
	return func(ctx context.Context, args []string) (err error) {
		if o.Scenario, err = scenarioArg(args); err != nil {
			return err
		}
		if o.Target == "" {
			return app.Usagef("--target is needed")
		}
		return app.SimRun(ctx, o, app.Streams{Out: e.out, Err: e.err})
	}
}

func simGenerateCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	var o app.GenerateOptions
	fs.StringVar(&o.Out, "out", "", "`file` for the events, one a line")
	fs.StringVar(&o.Labels, "labels", "", "`file` for the truth, one label a line")
	fs.Uint64Var(&o.Seed, "seed", 1, "the same `number` gives the same bytes")
	fs.Int64Var(&o.Count, "count", 0, "exactly so many `events`; 0: what the scenario leaves")
	from := fs.String("from", "", "`time` of the first event, RFC 3339 or now; without it one that is always the same")
	return func(ctx context.Context, args []string) (err error) {
		if o.Scenario, err = scenarioArg(args); err != nil {
			return err
		}
		if o.From, err = instant("--from", *from); err != nil {
			return err
		}
		if o.Out == "" {
			return app.Usagef("--out is needed")
		}
		return app.SimGenerate(ctx, o, app.Streams{Out: e.out, Err: e.err})
	}
}

func scoreCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	alerts := fs.String("alerts", "", "`file` with alert lines")
	labels := fs.String("labels", "", "`file` with label lines")
	return func(_ context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		if *alerts == "" || *labels == "" {
			return app.Usagef("--alerts and --labels are needed")
		}
		return app.Score(*alerts, *labels, app.Streams{Out: e.out, Err: e.err})
	}
}
