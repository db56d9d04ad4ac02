package main

import (
	"context"
	"flag"
	"time"

	"imwatch/internal/app"
)

// configFlag declares --config and gives what loads it and checks the parts that keys name; none: all.
func configFlag(fs *flag.FlagSet, e environment) func(keys ...string) (app.Config, error) {
	file := fileFlag(fs)
	return func(keys ...string) (app.Config, error) { return app.LoadConfig(*file, e.vars, keys...) }
}

func fileFlag(fs *flag.FlagSet) *string {
	return fs.String("config", "", "the configuration `file`; without it the defaults and the environment count")
}

// runCommands are those that run until a signal.
func runCommands() []command {
	cmds := []command{
		{"up", "", "everything in one process on embedded parts: no broker, no database, no JVM to install", upCommand},
		{"demo", "", "up, with a simulated fleet with trouble in it; shows the alerts as they come", demoCommand},
	}
	for _, r := range app.Roles() {
		cmds = append(cmds, command{r.Name, "", r.Summary, roleCommand(r.Name)})
	}
	return append(cmds, command{"setup", "", "makes topics, index templates, retention policies and Kibana objects; can be run again", setupCommand})
}

func upCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	file := fileFlag(fs)
	data := fs.String("data", "./data", "the `folder` that keeps everything")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		cfg, err := app.LoadUpConfig(*file, e.vars, *data)
		if err != nil {
			return err
		}
		return app.Up(ctx, cfg, app.Streams{Out: e.out, Err: e.err})
	}
}

func demoCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	length := fs.Duration("for", 0, "end by itself after this `time`; 0: run until a signal")
	clients := fs.Int("clients", 300, "how many `clients` connect")
	data := fs.String("data", "", "the `folder` that keeps everything; without it a temporary one, deleted at the end")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		if *length < 0 || *length > 0 && *length < 20*time.Second {
			return app.Usagef("--for %v: at least 20s are needed for the trouble to show", *length)
		}
		return app.Demo(ctx, app.DemoOptions{For: *length, Clients: *clients, Data: *data, Env: e.vars}, app.Streams{Out: e.out, Err: e.err})
	}
}

func roleCommand(role string) func(*flag.FlagSet, environment) func(context.Context, []string) error {
	return func(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
		load := configFlag(fs, e)
		once := new(bool)
		tested := func() (bool, error) { return false, nil }
		if role == "ship" {
			once = fs.Bool("once", false, "read the files to their end, ship all and exit")
			tested = shipTestFlags(fs, e)
		}
		return func(ctx context.Context, args []string) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if done, err := tested(); done || err != nil {
				return err
			}
			cfg, err := load(app.ConfigKeys(role)...)
			if err != nil {
				return err
			}
			return app.RunRole(ctx, role, cfg, app.RoleOptions{Once: *once}, app.Streams{Out: e.out, Err: e.err})
		}
	}
}

// shipTestFlags declares the flags of ship --test and gives what runs it, if it is asked for.
func shipTestFlags(fs *flag.FlagSet, e environment) func() (done bool, err error) {
	var o app.ShipTestOptions
	file := fs.String("test", "", "show what the sources of this configuration `file` make of --in, run the tests in it, and exit; ships nothing")
	fs.StringVar(&o.In, "in", "", "with --test: the `sample` of a log, - for standard input")
	fs.StringVar(&o.Source, "source", "", "with --test: the `name` of the source that reads the sample; without it the one that fits")
	fs.StringVar(&o.Output, "output", "text", "with --test: `text` or json")
	return func() (bool, error) {
		if *file == "" {
			if o.In != "" || o.Source != "" || o.Output != "text" {
				return true, app.Usagef("--in, --source and --output go with --test FILE")
			}
			return false, nil
		}
		if o.Output != "text" && o.Output != "json" {
			return true, app.Usagef("--output %s: allowed are text and json", o.Output)
		}
		cfg, err := app.LoadConfig(*file, e.vars, "shipper")
		if err != nil {
			return true, err
		}
		return true, app.ShipTest(cfg, o, app.Streams{In: e.in, Out: e.out, Err: e.err})
	}
}

func setupCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		cfg, err := load(app.SetupKeys()...)
		if err != nil {
			return err
		}
		return app.Setup(ctx, cfg, app.Streams{Out: e.out, Err: e.err})
	}
}
