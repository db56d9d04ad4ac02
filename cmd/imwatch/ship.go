package main

import (
	"context"
	"flag"

	"imwatch/internal/app"
)

// shipCommands are those that look into a running shipper.
func shipCommands() []command {
	return []command{
		{"ship status", "", "shows how a running shipper is: files, queue, Kafka, throughput, lag; exit code 1 when it is unhealthy", shipStatusCommand},
		{"ship files", "[FILTER=VALUE…]", "lists the files and inputs of a running shipper", shipFilesCommand},
	}
}

func shipOpsFlags(fs *flag.FlagSet, e environment) *app.ShipOps {
	o := &app.ShipOps{Env: e.vars, Out: e.out}
	fs.StringVar(&o.Server, "server", "http://127.0.0.1:9100", "`URL` of the shipper's operations listener (ops.addr)")
	fs.StringVar(&o.TokenFile, "token-file", "", "`file` with the token ops.token; without it IMWATCH_OPS_TOKEN counts")
	return o
}

func shipStatusCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := shipOpsFlags(fs, e)
	fs.BoolVar(&o.JSON, "json", false, "one object of JSON")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		return o.Status(ctx)
	}
}

func shipFilesCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := shipOpsFlags(fs, e)
	fs.BoolVar(&o.JSON, "json", false, "a line of JSON for each file")
	return o.Files
}
