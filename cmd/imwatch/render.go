package main

import (
	"context"
	"flag"

	"imwatch/internal/app"
)

func renderCommand(fs *flag.FlagSet, e environment) func(context.Context, []string) error {
	load := configFlag(fs, e)
	o := app.RenderOptions{}
	fs.StringVar(&o.Channel, "channel", "", "the `kind` of channel, as receivers name it; without it wecom")
	fs.StringVar(&o.Receiver, "receiver", "", "the `name` of a receiver of the configuration, with its channel, format, language and mentions")
	fs.StringVar(&o.Format, "format", "", "one of the channel's `formats`; without it the channel's default")
	fs.StringVar(&o.Language, "language", "", "`en` or zh; without it that of the configuration")
	fs.StringVar(&o.State, "state", "firing", "`firing`, updated, resolved or repeat")
	fs.IntVar(&o.Group, "group", 0, "shows `N` alerts of the rule in the one message of their group")
	fs.StringVar(&o.Rules, "rules", "", "a rule file or folder, the `path`; without it the shipped rules")
	fs.Func("key", "a `field=value` of the key; what is not given is made up", func(s string) error {
		o.Key = append(o.Key, s)
		return nil
	})
	return func(ctx context.Context, args []string) error {
		if len(args) != 1 {
			return app.Usagef("the id of one rule is needed, as in imwatch alerts render handshake-failures --channel wecom")
		}
		o.Rule = args[0]
		cfg, err := load("log")
		if err != nil {
			return err
		}
		return app.RenderAlert(ctx, cfg, o, app.Streams{In: e.in, Out: e.out, Err: e.err})
	}
}
