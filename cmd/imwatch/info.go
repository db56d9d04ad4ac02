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
		{"version", "", "prints the version", versionCommand},
	}
}

func configCheckCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	return func(_ context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		if _, err := load(); err != nil {
			return err
		}
		fmt.Fprintln(e.out, "configuration is good")
		return nil
	}
}

func configPrintCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	return func(_ context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		cfg, err := load()
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
