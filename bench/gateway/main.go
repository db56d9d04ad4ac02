// Command gateway measures IM servers with one load program: imwatch's, Centrifugo, and the bare server beside it, one
// after another on the same cores. It prints a line of JSON for each run.
//
//	bench/gateway/run.sh [--only REGEXP] [--span 10s] [--rounds 1]
//	go run ./bench/gateway table FILE
//
// builds what is measured and prints a table; the second makes the table of lines that were kept.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	if len(args) == 2 && args[0] == "table" {
		return table(args[1], w)
	}
	if len(args) > 0 && args[0] == "hold" {
		return runHolder(args[1:], w)
	}
	fs := flag.NewFlagSet("gateway", flag.ExitOnError)
	ours := fs.String("imwatch", "", "the built `program`; empty: not measured, as with the others")
	centrifugoProgram := fs.String("centrifugo", "", "the built `program`")
	bareProgram := fs.String("bare", "", "the built `program`")
	only := fs.String("only", ".", "`regexp` of the scenarios to run")
	span := fs.Duration("span", 10*time.Second, "how long messages flow")
	rounds := fs.Int("rounds", 1, "how often each is run")
	profiles := fs.String("profiles", "", "`folder` for CPU profiles of the servers while messages flow; empty: none are made, for they cost CPU")
	cpu := fs.String("server-cpu", "", "the CPU that servers are bound to; the caller binds this program to another. Runs the scenarios named pinned-")
	if err := fs.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed := 0
	for range *rounds {
		for _, sc := range scenarios(*span) {
			if sc.pinned != (*cpu != "") || !wanted.MatchString(sc.name) {
				continue
			}
			for _, p := range peers(*ours, *centrifugoProgram, *bareProgram) {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err := measure(ctx, sc, p, *cpu, *profiles, w); err != nil {
					failed++
					fmt.Fprintln(os.Stderr, "bench:", err)
				}
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d runs failed", failed)
	}
	return nil
}

// measure runs a scenario on a server of its own and prints what came out.
func measure(ctx context.Context, sc scenario, p *peer, cpu, profiles string, w io.Writer) (err error) {
	r := result{"scenario": sc.name, "peer": p.name, "load_before": loadAverage()}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %s: %w", sc.name, p.name, err)
		}
	}()
	s, err := start(ctx, p, cpu)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if profiles != "" {
		s.profile = filepath.Join(profiles, sc.name+"-"+p.name+".pprof")
	}
	if err := sc.run(ctx, s, r); err != nil {
		return err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, string(line))
	return err
}

// loadAverage is that of the last minute.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(data), " ")
	return one
}
