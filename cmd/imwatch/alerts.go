package main

import (
	"context"
	"flag"

	"imwatch/internal/app"
)

// alertCommands are those that speak with the alerting.
func alertCommands() []command {
	return []command{
		{"alerts list", "[CONDITION…]", "lists the alerts that fire, or with --state those that are over", alertsListCommand},
		{"alerts show", "ALERT", "shows one alert with what was told of it", alertsShowCommand},
		{"alerts ack", "ALERT", "acknowledges an alert: it is not told again for a while", alertsAckCommand},
		{"alerts silence", "CONDITION…", "silences the alerts that satisfy all conditions for a while", alertsSilenceCommand},
		{"alerts silences", "", "lists the silences and maintenance windows", alertsSilencesCommand},
		{"alerts extend", "SILENCE", "moves the end of a silence", alertsExtendCommand},
		{"alerts unsilence", "SILENCE", "ends a silence", alertsUnsilenceCommand},
		{"alerts render", "RULE", "shows what would be sent about an alert of a rule; nothing is sent", renderCommand},
	}
}

// alertFlags declares what all of them need.
func alertFlags(fs *flag.FlagSet, e environment) *app.AlertsAPI {
	o := &app.AlertsAPI{Env: e.vars, Out: e.out}
	fs.StringVar(&o.Server, "server", "http://127.0.0.1:9100", "`URL` of the alerting's interface (ops.addr, or alerting.api.addr)")
	fs.StringVar(&o.TokenFile, "token-file", "", "`file` with a token of alerting.api; without it IMWATCH_ALERTS_TOKEN counts")
	fs.StringVar(&o.TokenCommand, "token-command", "", "`command` for the shell that prints a token, for those that count for a short time")
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
	var s app.NewSilence
	fs.DurationVar(&s.For, "for", 0, "how long; 1h where neither --until nor --weekly is given")
	fs.StringVar(&s.Reason, "reason", "", "why (needed)")
	fs.StringVar(&s.Author, "author", "", "who wants it; none: the name of the token")
	fs.Func("weekly", "hours of the week at which it is on, `HOURS` as \"mon-fri 22:00-06:00 Asia/Shanghai\"; several times", s.AddWeekly)
	fs.StringVar(&s.From, "from", "", "`TIME` at which it begins, as 2026-11-28T22:00:00+08:00 or \"2026-11-28 22:00\"; none: now")
	fs.StringVar(&s.Until, "until", "", "`TIME` at which it ends")
	fs.StringVar(&s.Zone, "zone", "", "IANA name of the `zone` by whose clocks --from and --until are read and shown; none: the terminal's")
	fs.BoolVar(&s.Maintenance, "maintenance", false, "a maintenance window: people are told at its end how many alerts it held")
	fs.BoolVar(&s.Yes, "yes", false, "also where it holds any alert")
	fs.BoolVar(&s.Preview, "preview", false, "only say what it would hold now")
	return func(ctx context.Context, match []string) error {
		s.Match = match
		return o.Silence(ctx, s)
	}
}

func alertsExtendCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	by := fs.Duration("for", 0, "by how much; with a minus, it ends earlier")
	until := fs.String("until", "", "or `TIME` at which it is to end")
	zone := fs.String("zone", "", "IANA name of the `zone` by whose clocks --until is read; none: the terminal's")
	return one("SILENCE", func(ctx context.Context, id string) error { return o.Extend(ctx, id, *by, *until, *zone) })
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
