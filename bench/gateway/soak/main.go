// Command soak holds the IM server, as real processes, to what it promises when networks, nodes and Redis fail. Each
// of its tests prints a line of JSON, and fails if a promise was not kept:
//
//	bench/gateway/soak/run.sh survive --for 10m     clients that talk over a network that delays, stalls, drops and resets
//	bench/gateway/soak/run.sh restart               5,000 clients whose node is restarted: how long each is without one
//	bench/gateway/soak/run.sh deliver               messages over two nodes and a Redis that are killed, as clients are
//	bench/gateway/soak/run.sh leaks                 100,000 connections that end in all ways: what is left of them
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// bench is what the tests have in common.
type bench struct {
	program  string
	redis    string        // program; "": nodes stand alone
	dir      string        // of nodes and logs
	extra    string        // further lines of im_server's configuration
	clients  int           // how many there are
	span     time.Duration // how long it goes on
	messages int
	sigkill  bool
	nodes    int
	harsh    bool // nodes and Redis are killed: nodes' leases are short, and Redis must not forget what it has answered
	seed     uint64
	log      io.Writer // progress
}

// result is the line of output.
type result map[string]any

// test is one of the tests. An error with a result says which promise was not kept.
type test func(ctx context.Context, b *bench, r result) error

func run(ctx context.Context, args []string, w io.Writer) (err error) {
	tests := map[string]test{"survive": survive, "restart": restart, "deliver": deliver, "leaks": leaks}
	if len(args) == 0 || tests[args[0]] == nil {
		return fmt.Errorf("the first argument must be survive, restart, deliver or leaks, found %q", args)
	}
	b := &bench{log: os.Stderr}
	fs := flag.NewFlagSet(args[0], flag.ExitOnError)
	fs.StringVar(&b.program, "imwatch", "", "the built `program`")
	fs.StringVar(&b.redis, "redis", "redis-server", "Redis, of which one is started; empty: one node that stands alone")
	fs.StringVar(&b.extra, "config", "", "further `lines` of im_server's configuration, as YAML")
	fs.IntVar(&b.clients, "clients", 0, "how many clients; 0: what suits the test")
	fs.DurationVar(&b.span, "for", 2*time.Minute, "how long clients talk (survive)")
	fs.IntVar(&b.messages, "messages", 100_000, "how many messages are sent (deliver), or connections opened (leaks)")
	fs.BoolVar(&b.sigkill, "sigkill", false, "kill the node instead of asking it to end (restart)")
	fs.IntVar(&b.nodes, "nodes", 2, "how many nodes")
	fs.Uint64Var(&b.seed, "seed", uint64(time.Now().UnixNano()), "of everything that is drawn") //nolint:gosec // not negative
	keep := fs.String("dir", "", "`folder` for logs, which stay; empty: a temporary one")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if b.dir = *keep; b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "imwatch-soak-"); err != nil {
			return err
		}
		defer func() {
			if err == nil { // else it tells why
				err = os.RemoveAll(b.dir)
			}
		}()
	}
	r := result{"test": args[0], "seed": b.seed}
	failed := tests[args[0]](ctx, b, r)
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, string(line)); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("%s, logs are in %s: %w", args[0], b.dir, failed)
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
