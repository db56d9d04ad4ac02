package main

import (
	"context"
	"flag"
	"fmt"

	"imwatch/internal/app"
)

func infoCommands() []command {
	return []command{
		{"config check", "", "checks the configuration and says what is wrong, where", configCheckCommand},
		{"config print", "", "prints the effective configuration, secrets masked", configPrintCommand},
		{"health", "URL", "asks a /readyz address and exits with 0 or 1, for container health checks", healthCommand},
		{"version", "", "prints the version", versionCommand},
	}
}

func configCheckCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	role := fs.String("role", "", "check only what this `role` needs")
	return func(_ context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		keys := app.ConfigKeys(*role)
		if *role != "" && keys == nil {
			return app.Usagef("--role %s: unknown role", *role)
		}
		cfg, err := load(keys...)
		if err != nil {
			return err
		}
		app.PrintWarnings(cfg, e.err)
		fmt.Fprintln(e.out, "configuration is good")
		return nil
	}
}

func configPrintCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	file := fileFlag(fs)
	return func(_ context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		cfg, err := app.ReadConfig(*file, e.vars)
		if err != nil {
			return err
		}
		return app.PrintConfig(cfg, e.out)
	}
}

func versionCommand(_ *flag.FlagSet, e environment) func(context.Context, []string) error {
	return func(_ context.Context, args []string) error {
		fmt.Fprintln(e.out, "imwatch", app.Version())
		return noArgs(args)
	}
}

func healthCommand(_ *flag.FlagSet, _ environment) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if len(args) != 1 {
			return app.Usagef("expected one URL, such as http://127.0.0.1:9100/readyz")
		}
		return app.Health(ctx, args[0])
	}
}
