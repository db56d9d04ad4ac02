package main

import (
	"context"
	"flag"

	"imwatch/internal/app"
)

// indexCommands are those that look into running indexers.
func indexCommands() []command {
	return []command{
		{"index status", "", "shows how running indexers are: lag, throughput, the way to the store, each partition; exit code 1 when one is unhealthy", indexStatusCommand},
	}
}

func indexStatusCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := &app.IndexOps{Env: e.vars, Out: e.out}
	fs.StringVar(&o.Server, "server", "http://127.0.0.1:9100", "`URL` of the indexer's operations listener (ops.addr)")
	fs.StringVar(&o.TokenFile, "token-file", "", "`file` with the token ops.token; without it IMWATCH_OPS_TOKEN counts")
	fs.BoolVar(&o.JSON, "json", false, "one object of JSON")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		return o.Status(ctx)
	}
}
