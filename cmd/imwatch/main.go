// Command imwatch watches the connections of an instant-messaging service: it is the server, the log pipeline, the
// detector and the alerting, each as a role of its own or all in one process. `imwatch help` says everything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones of calendars and notifications work in a bare container too

	"imwatch/internal/app"
)

// Exit codes, as the command line's contract has them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run()) }

// run is main with an exit code, so that tests can be the program.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	env := environment{args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr, vars: os.Environ()}
	return env.main(ctx)
}

// environment is what a command sees of the outside.
type environment struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	vars     []string
}

func (e environment) main(ctx context.Context) int {
	if len(e.args) == 0 {
		usage(e.err)
		return exitUsage
	}
	name, args := e.args[0], e.args[1:]
	switch name {
	case "help", "-h", "--help", "-help":
		usage(e.out)
		return exitDone
	}
	cmd, rest, ok := findCommand(name, args)
	if !ok {
		fmt.Fprintf(e.err, "imwatch: unknown command %q%s\n`imwatch help` lists all commands.\n", name, suggest(name))
		return exitUsage
	}
	return e.exec(ctx, cmd, rest)
}

func (e environment) exec(ctx context.Context, cmd command, args []string) int {
	fs := flag.NewFlagSet("imwatch "+cmd.name, flag.ContinueOnError)
	fs.SetOutput(e.err)
	fs.Usage = func() { cmd.usage(fs) }
	do := cmd.setup(fs, e)
	switch err := parse(fs, args); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	}
	err := do(ctx, fs.Args())
	var usageErr *app.UsageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usageErr):
		fmt.Fprintf(e.err, "imwatch %s: %v\n", cmd.name, err)
		return exitUsage
	case errors.Is(err, app.ErrFindings): // already said
		return exitFailed
	}
	fmt.Fprintf(e.err, "imwatch %s: %v\n", cmd.name, err)
	return exitFailed
}

// parse takes flags also after arguments: `rules backtest --rules x --events y` and `sim run demo --target z`.
func parse(fs *flag.FlagSet, args []string) error {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			return err
		}
		if fs.NArg() == 0 {
			break
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
	return fs.Parse(append([]string{"--"}, rest...))
}
