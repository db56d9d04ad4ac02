package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"imwatch/internal/bus"
)

// othersTopic is where others than the shipper write.
const othersTopic = "bench.others"

// tools makes ready what is to be measured.
func (b *bench) tools(ctx context.Context, names []string) ([]tool, error) {
	var out []tool
	for _, name := range names {
		ready, ok := map[string]func(context.Context) (tool, error){"imwatch": b.imwatch, "rsyslog": b.rsyslog, "bare": b.bare}[name]
		if !ok {
			return nil, fmt.Errorf("tools: %q is not one of imwatch, rsyslog, bare", name)
		}
		t, err := ready(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// opsAddr is where profiles of the shipper are taken.
const opsAddr = "127.0.0.1:19699"

// imwatch is the shipper with all defaults.
func (b *bench) imwatch(ctx context.Context) (tool, error) {
	program, err := b.build(ctx, "./cmd/imwatch")
	if err != nil {
		return tool{}, err
	}
	ops := ""
	if b.profile != "" {
		ops = opsAddr
		if err := os.MkdirAll(b.profile, 0o750); err != nil {
			return tool{}, err
		}
	}
	return tool{topic: bus.TopicLifecycle, ends: true, command: func(ctx context.Context, round int) (*exec.Cmd, error) {
		config := filepath.Join(b.dir, fmt.Sprintf("ship-%d.yaml", round))
		yaml := fmt.Sprintf(`log: {level: warn}
ops: {addr: %q}
kafka: {brokers: [%q]}
shipper:
  checkpoint: %s
  queue: {dir: %q}
  sources: [{paths: [%s], format: contract}]
`, ops, b.kafka, filepath.Join(b.dir, strconv.Itoa(round), "checkpoint.json"), b.queue, b.log)
		if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
			return nil, err
		}
		return exec.CommandContext(ctx, program, "ship", "--once", "--config", config), nil
	}}, nil
}

// rsyslog follows the file with imfile, parses it with mmjsonparse, and gives it to omkafka. Its queues and batches are
// made large, as its manual advises, and its position is kept: it is stopped in order.
func (b *bench) rsyslog(_ context.Context) (tool, error) {
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		return tool{}, fmt.Errorf("rsyslog and rsyslog-kafka of Debian are needed: %w", err)
	}
	return tool{topic: othersTopic, command: func(ctx context.Context, round int) (*exec.Cmd, error) {
		work := filepath.Join(b.dir, fmt.Sprintf("rsyslog-%d", round))
		if err := os.MkdirAll(work, 0o750); err != nil {
			return nil, err
		}
		conf := filepath.Join(work, "rsyslog.conf")
		text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
module(load="imfile")
module(load="mmjsonparse")
module(load="omkafka")
main_queue(queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="4096" queue.workerThreads="1")
template(name="line" type="string" string="%%$!%%")
input(type="imfile" file=%q tag="app" ruleset="ship" freshStartTail="off")
ruleset(name="ship") {
  action(type="mmjsonparse" cookie="")
  action(type="omkafka" broker=[%q] topic=%q template="line"
    confParam=["compression.codec=lz4", "acks=all", "linger.ms=20", "batch.num.messages=10000", "queue.buffering.max.messages=500000"])
}
`, work, b.log, b.kafka, othersTopic)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return exec.CommandContext(ctx, program, "-n", "-f", conf, "-i", filepath.Join(work, "pid")), nil //nolint:gosec // made above
	}}, nil
}

// bare is the least that a Go program can do: see its package.
func (b *bench) bare(ctx context.Context) (tool, error) {
	program, err := b.build(ctx, "./bench/ship/bare")
	if err != nil {
		return tool{}, err
	}
	return tool{topic: othersTopic, ends: true, command: func(ctx context.Context, _ int) (*exec.Cmd, error) {
		return exec.CommandContext(ctx, program, "--kafka", b.kafka, "--topic", othersTopic, "--file", b.log), nil
	}}, nil
}
