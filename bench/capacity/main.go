// Command capacity says what a fleet needs: hosts, cores, memory, partitions, shards, disks, network and cost, from how
// many events it makes and from what was measured of each part.
//
//	go run ./bench/capacity plan --bytes-per-day 1.2TB
//	bench/capacity/measure.sh
//
// measure.sh takes the measurements of the figures in measured.json that are its own, on a real Kafka and Elasticsearch.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// measured is the file of figures, as seen from the project's folder.
const measured = "bench/capacity/measured.json"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "measure":
			return measure(ctx, args[1:], out)
		case "plan", "growth":
			return show(args[0], args[1:], out, os.Stderr)
		case "figures":
			f, err := load(measured)
			if err == nil {
				f.table(out)
			}
			return err
		}
	}
	return fmt.Errorf("expected plan, growth, figures or measure, found %q", args)
}

// show prints what a command asks for.
func show(what string, args []string, out, errs io.Writer) error {
	f, err := load(measured)
	if err != nil {
		return err
	}
	return showWith(f, what, args, out, errs)
}

func showWith(f Figures, what string, args []string, out, errs io.Writer) error {
	in, err := parse(args, errs)
	if err != nil {
		return err
	}
	switch what {
	case "growth":
		if in.Events == 0 && in.Line > 0 {
			in.Events = in.Bytes / in.Line
		}
		growth(out, in, f)
	default:
		p := plan(in, f)
		p.write(out)
	}
	return nil
}
