package main

import (
	"context"
	"flag"
	"os/user"
	"time"

	"imwatch/internal/app"
)

// connCommands are those that look into a running IM server.
func connCommands() []command {
	return []command{
		{"conns list", "[FILTER=VALUE…]", "lists the connections of an IM server, or with state=closed the last ends", connsListCommand},
		{"conns show", "ID", "shows one connection", connsShowCommand},
		{"conns kick", "ID|user=USER", "ends a connection, or all of a user", connsKickCommand},
		{"conns trace", "ID|user=USER", "follows the types and sizes of frames as they come", connsTraceCommand},
	}
}

// opsFlags declares what all of them need.
func opsFlags(fs *flag.FlagSet, e environment) *app.ServerOps {
	o := &app.ServerOps{Env: e.vars, Out: e.out}
	if u, err := user.Current(); err == nil {
		o.Actor = u.Username
	}
	fs.StringVar(&o.Server, "server", "http://127.0.0.1:8081", "`URL` of the server's operations listener")
	fs.StringVar(&o.TokenFile, "token-file", "", "`file` with the ops_token; without it IMWATCH_IM_SERVER_OPS_TOKEN counts")
	return o
}

func connsListCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := opsFlags(fs, e)
	fs.BoolVar(&o.JSON, "json", false, "a line of JSON for each connection")
	return o.List
}

func connsShowCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := opsFlags(fs, e)
	return one("ID", o.Show)
}

func connsKickCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := opsFlags(fs, e)
	return one("ID or user=USER", o.Kick)
}

func connsTraceCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := opsFlags(fs, e)
	length := fs.Duration("for", time.Minute, "end after this `time`, at most 10m")
	return one("ID or user=USER", func(ctx context.Context, who string) error { return o.Trace(ctx, who, *length) })
}

// one takes exactly one argument.
func one(what string, do func(context.Context, string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if len(args) != 1 {
			return app.Usagef("expected one %s", what)
		}
		return do(ctx, args[0])
	}
}
