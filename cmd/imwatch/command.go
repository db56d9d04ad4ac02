package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"imwatch/internal/app"
)

// command is one subcommand. setup declares its flags and gives what runs after they are parsed.
type command struct {
	name    string // "rules lint"
	args    string // "PATH…"
	summary string
	setup   func(*flag.FlagSet, environment) func(context.Context, []string) error
}

func (c command) usage(fs *flag.FlagSet) {
	fmt.Fprintf(fs.Output(), "imwatch %s", c.name)
	if c.args != "" {
		fmt.Fprintf(fs.Output(), " %s", c.args)
	}
	fmt.Fprintf(fs.Output(), "\n  %s\n", c.summary)
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprintln(fs.Output(), "\nFlags:")
			first = false
		}
		kind, text := flag.UnquoteUsage(f)
		if kind != "" {
			kind = " " + strings.ToUpper(kind)
		}
		fmt.Fprintf(fs.Output(), "  --%s%s\n        %s", f.Name, kind, text)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" && f.DefValue != "0" {
			fmt.Fprintf(fs.Output(), " (default %s)", f.DefValue)
		}
		fmt.Fprintln(fs.Output())
	})
}

// commands lists all subcommands in the order in which help shows them.
func commands() []command {
	return slices.Concat(runCommands(), ruleCommands(), simCommands(), connCommands(), shipCommands(), indexCommands(), alertCommands(), onCallCommands(), infoCommands())
}

// findCommand resolves one or two words.
func findCommand(name string, args []string) (command, []string, bool) {
	all := commands()
	if len(args) > 0 {
		if i := slices.IndexFunc(all, func(c command) bool { return c.name == name+" "+args[0] }); i >= 0 {
			return all[i], args[1:], true
		}
	}
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return command{}, nil, false
	}
	return all[i], args, true
}

// suggest lists the commands that begin alike.
func suggest(name string) string {
	var like []string
	for _, c := range commands() {
		if strings.HasPrefix(c.name, name+" ") || strings.HasPrefix(c.name, name[:min(2, len(name))]) {
			like = append(like, c.name)
		}
	}
	if len(like) == 0 {
		return ""
	}
	return "; there is " + strings.Join(like, ", ")
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "imwatch %s watches the connections of an instant-messaging service.\n\nUsage: imwatch COMMAND [flags]\n\n", app.Version())
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-16s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n`imwatch COMMAND -h` shows a command's flags. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.\n"+
		"Configuration: --config FILE, every key also by environment (IMWATCH_KAFKA_BROKERS=…); see docs/config.md.\n")
}

// noArgs refuses arguments for a command that has none.
func noArgs(args []string) error {
	if len(args) > 0 {
		return app.Usagef("unexpected argument %q", args[0])
	}
	return nil
}
