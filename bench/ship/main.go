// Command ship measures the way of a gigabyte of lines from a file through the shipper, as a process of its own, into a
// real Kafka: parsed, sealed with lz4, in the queue on disk, acks=all, four partitions. It checks that every line has
// arrived once and prints a table in Markdown.
//
//	bench/ship/run.sh [--lines 1657800]
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

func main() {
	var b bench
	flag.IntVar(&b.lines, "lines", 1_657_800, "how many lines of some 600 bytes")
	flag.StringVar(&b.kafka, "kafka", "127.0.0.1:19692", "address of a Kafka of one's own")
	flag.IntVar(&b.rounds, "rounds", 3, "how often; the best counts, for others use the machine too")
	flag.StringVar(&b.queue, "queue", "auto", `shipper.queue.dir; "" measures without a queue`)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	lines, rounds int
	kafka, queue  string

	dir, log string
	size     int64
	bus      *kafkabus.Bus
}

func (b *bench) run(ctx context.Context, out io.Writer) (err error) {
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
	err = b.bus.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 4, Bytes: 2 << 30}, bus.TopicSpec{Name: bus.TopicDeadLetter, Partitions: 1})
	if err != nil {
		return err
	}
	program := filepath.Join(b.dir, "imwatch")
	if said, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/imwatch").CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w: %s", err, said)
	}
	_, _ = fmt.Fprintln(out, "| round | lines/s | MB/s | CPU s/GB | peak RSS MiB |\n| --- | --- | --- | --- | --- |")
	for round := range b.rounds {
		if err := b.ship(ctx, out, program, round); err != nil {
			return err
		}
	}
	return nil
}

// ship runs the shipper once over the file.
func (b *bench) ship(ctx context.Context, out io.Writer, program string, round int) error {
	config := filepath.Join(b.dir, fmt.Sprintf("ship-%d.yaml", round))
	yaml := fmt.Sprintf(`log: {level: warn}
ops: {addr: ""}
kafka: {brokers: [%q]}
shipper:
  checkpoint: %s
  queue: {dir: %q}
  sources: [{paths: [%s], format: contract}]
`, b.kafka, filepath.Join(b.dir, fmt.Sprint(round), "checkpoint.json"), b.queue, b.log)
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		return err
	}
	before, err := b.stored(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "ship", "--once", "--config", config)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("shipping: %w", err)
	}
	wall := time.Since(start)
	after, err := b.stored(ctx)
	if err != nil {
		return err
	}
	if n := after - before; n < int64(b.lines) || n > int64(b.lines)+10_000 { // watermarks stand there too
		return fmt.Errorf("%d records of %d lines", n, b.lines)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("the system does not tell what the shipper has used")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	_, err = fmt.Fprintf(out, "| %d | %.0f | %.0f | %.1f | %d |\n", round+1, float64(b.lines)/wall.Seconds(), float64(b.size)/1e6/wall.Seconds(),
		cpu.Seconds()/(float64(b.size)/1e9), used.Maxrss>>10)
	return err
}

// stored is how many records the topic has had.
func (b *bench) stored(ctx context.Context) (sum int64, err error) {
	ends, err := b.bus.Ends(ctx, bus.TopicLifecycle)
	for _, end := range ends {
		sum += end
	}
	return sum, err
}

// write makes the log: ends of connections, with what such lines usually carry.
func (b *bench) write() error {
	b.log = filepath.Join(b.dir, "app.log")
	f, err := os.Create(b.log)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var line []byte
	for n := range b.lines {
		var e event.Event
		e.Begin(event.ActionDisconnect, at.Add(time.Duration(n)*time.Millisecond))
		e.SetText(event.FieldEventID, fmt.Sprintf("im-1-6aa0b2c4-%010d", n))
		e.SetInt(event.FieldEventDuration, int64(n)*1_000_003)
		e.SetText(event.FieldServiceName, "im-server")
		e.SetText(event.FieldServiceVersion, "1.0.0")
		e.SetText(event.FieldServiceNode, "im-1")
		e.SetText(event.FieldTraceID, fmt.Sprintf("%032x", uint64(n+1)*0x9e3779b97f4a7c15))
		e.SetText(event.FieldSpanID, fmt.Sprintf("%016x", uint64(n+1)*0x9e3779b97f4a7c15))
		e.SetText(event.FieldClientIP, fmt.Sprintf("192.0.2.%d", n%250))
		e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%5000))
		e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", n))
		e.SetInt(event.FieldCloseCode, 1006)
		e.SetText(event.FieldCloseReason, "client_gone")
		e.SetText(event.FieldCloseInitiator, "network")
		e.SetInt(event.FieldBytesIn, int64(n%4096))
		e.SetInt(event.FieldBytesOut, int64(n%8192))
		line = append(e.AppendJSON(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
		b.size += int64(len(line))
	}
	return errors.Join(w.Flush(), f.Close())
}
