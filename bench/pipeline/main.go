// Command pipeline measures the way of a million events: from a file through the shipper into a real Kafka, and from
// there through the indexer into a real Elasticsearch, each stage a process of its own; and a plain _bulk loop of the
// same documents, in turn with the indexer, to compare with. It prints a table in Markdown.
//
//	bench/pipeline/run.sh [--events 1000000] [--rounds 3]
//
// starts a Kafka and an Elasticsearch of its own for that, and stops them again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"imwatch/bench/elastic"
)

func main() {
	var b bench
	flag.Int64Var(&b.events, "events", 1_000_000, "how many events")
	flag.IntVar(&b.rounds, "rounds", 3, "how often indexer and plain loop take turns")
	flag.StringVar(&b.kafka, "kafka", "127.0.0.1:19092", "address of a Kafka of one's own: its topics are used up")
	flag.StringVar((*string)(&b.es), "es", "http://127.0.0.1:19200", "address of an Elasticsearch of one's own: its indices im-* are deleted")
	flag.StringVar(&b.dir, "dir", "", "folder for files; without it a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	events int64
	rounds int
	kafka  string
	es     elastic.Server
	dir    string

	binary, config, lines string
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "imwatch-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	size, err := os.Stat(b.lines)
	if err != nil {
		return err
	}
	ship, err := b.measure(ctx, "ship", nil, "ship", "--once", "--config", b.config)
	if err != nil {
		return err
	}
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	var index, plain []figures
	for round := 1; round <= b.rounds; round++ {
		ix, err := b.index(ctx, round)
		if err != nil {
			return err
		}
		p, err := b.plainBulk(ctx, 1)
		if err != nil {
			return err
		}
		index, plain = append(index, ix), append(plain, p)
		if err := b.es.Drop(ctx); err != nil {
			return err
		}
	}
	var more []figures
	for _, atOnce := range []int{2, 4} {
		p, err := b.plainBulk(ctx, atOnce)
		if err != nil {
			return err
		}
		more = append(more, p)
	}
	b.print(os.Stdout, size.Size(), ship, index, plain, more)
	return nil
}

// warmUp has Elasticsearch do both once, uncounted: its compiler is at work for the first million documents of each, so that
// the order of the rounds would matter.
func (b *bench) warmUp(ctx context.Context) error {
	if _, err := b.plainBulk(ctx, 1); err != nil {
		return err
	}
	if err := b.es.Drop(ctx); err != nil {
		return err
	}
	if _, err := b.index(ctx, 0); err != nil {
		return err
	}
	return b.es.Drop(ctx)
}

// index has the topic indexed from its beginning, by a group of its own.
func (b *bench) index(ctx context.Context, round int) (figures, error) {
	before, err := b.es.CPU(ctx)
	if err != nil {
		return figures{}, err
	}
	if err := os.Setenv("IMWATCH_INDEXER_GROUP", fmt.Sprintf("bench-%d-%d", os.Getpid(), round)); err != nil {
		return figures{}, fmt.Errorf("naming the group: %w", err)
	}
	ix, err := b.measure(ctx, "index", b.allIndexed, "index", "--config", b.config)
	if err != nil {
		return figures{}, err
	}
	after, err := b.es.CPU(ctx)
	if err != nil {
		return figures{}, err
	}
	ix.server = after - before
	return ix, b.exactly(ctx)
}

// prepare builds the program, writes its configuration, generates the events and sets the cluster up.
func (b *bench) prepare(ctx context.Context) error {
	b.binary, b.config, b.lines = filepath.Join(b.dir, "imwatch"), filepath.Join(b.dir, "bench.yaml"), filepath.Join(b.dir, "events.log")
	if err := b.command(ctx, "go", "build", "-o", b.binary, "./cmd/imwatch"); err != nil {
		return err
	}
	yaml := fmt.Sprintf(`log: {level: warn}
ops: {addr: ""}
kafka: {brokers: [%q]}
elasticsearch: {addresses: [%q], replicas: 0}
shipper:
  checkpoint: %s
  sources: [{paths: [%s], format: contract}]
`, b.kafka, b.es, filepath.Join(b.dir, "checkpoint.json"), b.lines)
	if err := os.WriteFile(b.config, []byte(yaml), 0o600); err != nil {
		return err
	}
	if err := b.es.Drop(ctx); err != nil {
		return err
	}
	if err := b.command(ctx, b.binary, "setup", "--config", b.config); err != nil {
		return err
	}
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -5).Format(time.RFC3339)
	return b.command(ctx, b.binary, "sim", "generate", "calm", "--count", fmt.Sprint(b.events), "--from", from, "--out", b.lines)
}

func (b *bench) command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s %v: %w", filepath.Base(name), args, err)
	}
	return nil
}
