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

// allTools are those that can be measured.
const allTools = "imwatch, bare, rsyslog, fluent-bit, filebeat"

// tools makes ready what is to be measured.
func (b *bench) tools(ctx context.Context, names []string) ([]tool, error) {
	var out []tool
	for _, name := range names {
		ready, ok := map[string]func(context.Context) (tool, error){
			"imwatch": b.imwatch, "bare": b.bare, "rsyslog": b.rsyslog, "fluent-bit": b.fluentBit, "filebeat": b.filebeat,
		}[name]
		if !ok {
			return nil, fmt.Errorf("tools: %q is not one of %s", name, allTools)
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
