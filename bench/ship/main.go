// Command ship measures the way of a gigabyte of lines from a file into a real Kafka with four partitions, lz4 and
// acks=all: through the shipper, a process of its own with all that it does (parsed, sealed, in the queue on disk,
// checkpoints, watermarks), and beside it on the same file and broker through others. It checks that every line has
// arrived once and prints a table in Markdown.
//
//	bench/ship/run.sh [--lines 1657800] [--tools imwatch,bare,rsyslog,fluent-bit,filebeat] [--profile DIR]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

func main() {
	var b bench
	var tools string
	flag.IntVar(&b.lines, "lines", 1_657_800, "how many lines of some 600 bytes")
	flag.StringVar(&b.kafka, "kafka", "127.0.0.1:19692", "address of a Kafka of one's own")
	flag.IntVar(&b.rounds, "rounds", 3, "how often; the best counts, for others use the machine too")
	flag.StringVar(&b.queue, "queue", "auto", `shipper.queue.dir; "" measures without a queue`)
	flag.StringVar(&tools, "tools", "imwatch", "what is measured, in turn in each round, of "+allTools)
	flag.StringVar(&b.profile, "profile", "", "directory for profiles of the shipper: cpu, heap, block, mutex; they cost some of the speed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, os.Stdout, strings.Split(tools, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	lines, rounds int
	kafka, queue  string
	profile       string
	dir, log      string
	size          int64
	bus           *kafkabus.Bus
}

// tool is a way from the file into the topic. Its process is started anew for each round.
type tool struct {
	command func(ctx context.Context, round int) (*exec.Cmd, error)
	topic   string
	ends    bool // by itself, when all is shipped; else it is told to
}

func (b *bench) run(ctx context.Context, out io.Writer, names []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "imwatch-ship-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.write(); err != nil {
		return err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{b.kafka}
	if b.bus, err = kafkabus.New(cfg, log, nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.bus.Close()) }()
	err = b.bus.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 4, Bytes: 2 << 30},
		bus.TopicSpec{Name: bus.TopicDeadLetter, Partitions: 1}, bus.TopicSpec{Name: othersTopic, Partitions: 4, Bytes: 2 << 30})
	if err != nil {
		return err
	}
	tools, err := b.tools(ctx, names)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "| round | | lines/s | MB/s | CPU s/GB | peak RSS MiB | load before |\n| --- | --- | --- | --- | --- | --- | --- |")
	for round := range b.rounds {
		for i, name := range names {
			if err := b.measure(ctx, out, round, name, tools[i]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// measure lets a tool ship the file once.
func (b *bench) measure(ctx context.Context, out io.Writer, round int, name string, t tool) error {
	before, err := b.stored(ctx, t.topic)
	if err != nil {
		return err
	}
	cmd, err := t.command(ctx, round)
	if err != nil {
		return err
	}
	busy := load()
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	peak, stop := make(chan int64), make(chan struct{})
	go func() { peak <- watchPeak(cmd.Process.Pid, stop) }()
	most := sync.OnceValue(func() int64 { close(stop); return <-peak })
	defer most()
	if b.profile != "" && name == "imwatch" {
		go b.profiles(ctx)
	}
	wall := time.Duration(0)
	if !t.ends {
		if err := b.arrived(ctx, t.topic, before+int64(b.lines)); err != nil {
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		wall = time.Since(start)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("shipping: %w", err)
	}
	if t.ends {
		wall = time.Since(start)
	}
	after, err := b.stored(ctx, t.topic)
	if err != nil {
		return err
	}
	if n := after - before; n < int64(b.lines) || n > int64(b.lines)+10_000 { // watermarks stand there too
		return fmt.Errorf("%d records of %d lines", n, b.lines)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	_, err = fmt.Fprintf(out, "| %d | %s | %.0f | %.0f | %.1f | %d | %s |\n", round+1, name, float64(b.lines)/wall.Seconds(),
		float64(b.size)/1e6/wall.Seconds(), cpu.Seconds()/(float64(b.size)/1e9), most()>>10, busy)
	return err
}

// load is what waits for the cores, for those who read the figures.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// arrived waits until a topic has had as many records.
func (b *bench) arrived(ctx context.Context, topic string, want int64) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := b.stored(ctx, topic)
		if err != nil || n >= want {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stored is how many records a topic has had.
func (b *bench) stored(ctx context.Context, topic string) (sum int64, err error) {
	ends, err := b.bus.Ends(ctx, topic)
	for _, end := range ends {
		sum += end
	}
	return sum, err
}

func (b *bench) build(ctx context.Context, pkg string) (string, error) {
	program := filepath.Join(b.dir, filepath.Base(pkg))
	if said, err := exec.CommandContext(ctx, "go", "build", "-o", program, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w: %s", err, said)
	}
	return program, nil
}
