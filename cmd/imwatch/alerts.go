package main

import (
	"context"
	"flag"
	"time"

	"imwatch/internal/app"
)

// alertCommands are those that speak with the alerting.
func alertCommands() []command {
	return []command{
		{"alerts list", "[CONDITION…]", "lists the alerts that fire, or with --state those that are over", alertsListCommand},
		{"alerts show", "ALERT", "shows one alert with what was told of it", alertsShowCommand},
		{"alerts ack", "ALERT", "acknowledges an alert: it is not told again for a while", alertsAckCommand},
		{"alerts silence", "CONDITION…", "silences the alerts that satisfy all conditions for a while", alertsSilenceCommand},
		{"alerts silences", "", "lists the silences", alertsSilencesCommand},
		{"alerts unsilence", "SILENCE", "ends a silence", alertsUnsilenceCommand},
		{"alerts render", "RULE", "shows what would be sent about an alert of a rule; nothing is sent", renderCommand},
	}
}

// alertFlags declares what all of them need.
func alertFlags(fs *flag.FlagSet, e environment) *app.AlertsAPI {
	o := &app.AlertsAPI{Env: e.vars, Out: e.out}
	fs.StringVar(&o.Server, "server", "http://127.0.0.1:9100", "`URL` of the alerting's interface (ops.addr, or alerting.api.addr)")
	fs.StringVar(&o.TokenFile, "token-file", "", "`file` with a token of alerting.api; without it IMWATCH_ALERTS_TOKEN counts")
	fs.BoolVar(&o.JSON, "json", false, "the answers as they come")
	return o
}

func alertsListCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	state := fs.String("state", "firing", "firing, resolved or all")
	return func(ctx context.Context, match []string) error { return o.List(ctx, *state, match) }
}

func alertsShowCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	return one("ALERT", o.Show)
}

func alertsAckCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	length := fs.Duration("for", app.DefaultAck, "how long, at most 168h")
	note := fs.String("note", "", "what others should know")
	back := fs.Bool("undo", false, "take the acknowledgement back")
	return one("ALERT", func(ctx context.Context, id string) error { return o.Ack(ctx, id, *length, *note, *back) })
}

func alertsSilenceCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	length := fs.Duration("for", time.Hour, "how long")
	reason := fs.String("reason", "", "why (needed)")
	return func(ctx context.Context, match []string) error { return o.Silence(ctx, match, *length, *reason) }
}

func alertsSilencesCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	all := fs.Bool("all", false, "those that were over in the last week too")
	return func(ctx context.Context, args []string) error {
		if len(args) > 0 {
			return app.Usagef("found %q, expected no arguments", args[0])
		}
		return o.Silences(ctx, *all)
	}
}

func alertsUnsilenceCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	return one("SILENCE", o.EndSilence)
}
