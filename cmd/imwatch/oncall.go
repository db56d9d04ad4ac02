package main

import (
	"context"
	"flag"
	"time"

	"imwatch/internal/app"
)

// onCallCommands are those about who is on call.
func onCallCommands() []command {
	return []command{
		{"alerts oncall", "", "shows who is on call, and who is next", alertsOnCallCommand},
		{"alerts override", "PERSON", "has somebody stand in for whoever would be on call", alertsOverrideCommand},
		{"alerts overrides", "", "lists who stands in", alertsOverridesCommand},
		{"alerts unoverride", "OVERRIDE", "ends an override", alertsUnoverrideCommand},
	}
}

func alertsOnCallCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	at := fs.String("at", "", "`time` such as 2026-11-21T10:00:00Z; none: now")
	schedule := fs.String("schedule", "", "`name` of one schedule; none: all")
	length := fs.Duration("for", 0, "show the shifts of so long")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		t, err := timeFlag("at", *at)
		if err != nil {
			return err
		}
		return o.OnCall(ctx, t, *schedule, *length)
	}
}

func alertsOverrideCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	schedule := fs.String("schedule", "", "`name` of the schedule (needed)")
	from := fs.String("from", "", "`time` at which it begins, such as 2026-11-21T10:00:00Z; none: now")
	length := fs.Duration("for", 8*time.Hour, "how long")
	reason := fs.String("reason", "", "why")
	return one("PERSON", func(ctx context.Context, person string) error {
		t, err := timeFlag("from", *from)
		if err != nil {
			return err
		}
		return o.Override(ctx, person, *schedule, t, *length, *reason)
	})
}

func alertsOverridesCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	all := fs.Bool("all", false, "those that were over in the last three months too")
	return func(ctx context.Context, args []string) error {
		if err := noArgs(args); err != nil {
			return err
		}
		return o.Overrides(ctx, *all)
	}
}

func alertsUnoverrideCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	o := alertFlags(fs, e)
	return one("OVERRIDE", o.EndOverride)
}

// timeFlag reads the time of a flag; none: the zero time.
func timeFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, app.Usagef("--%s: found %q, expected a time such as 2026-11-21T10:00:00Z", name, text)
	}
	return t, nil
}
