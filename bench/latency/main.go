// Command latency measures the time from a line in a log to the robot's HTTP call, through the real processes: ship,
// detect and alert on a real Kafka and Elasticsearch, while a server's worth of other lines is written.
//
//	bench/latency/run.sh [--rate 20000] [--for 60s] [--rules DIR] [--index]
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
	"syscall"
	"time"

	"imwatch/alerting/alertingtest/robot"
)

func main() {
	var b bench
	flag.IntVar(&b.rate, "rate", 20_000, "lines a second")
	flag.DurationVar(&b.span, "for", time.Minute, "how long lines are written")
	flag.StringVar(&b.rules, "rules", "", "folder of further rules; without it only the bench's own rule runs")
	flag.DurationVar(&b.warm, "warm", 15*time.Second, "how long at the beginning is not counted: the first alerts wait for Elasticsearch to make their indices")
	flag.BoolVar(&b.index, "index", false, "also run the indexer beside it")
	flag.StringVar(&b.kafka, "kafka", "127.0.0.1:19092", "address of a Kafka of one's own: its topics are used up")
	flag.StringVar(&b.es, "es", "http://127.0.0.1:19200", "address of an Elasticsearch of one's own")
	flag.StringVar(&b.detect, "detect", "", "further settings of the detector, as shards: 4")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	rate          int
	span, warm    time.Duration
	rules, detect string
	index         bool
	kafka, es     string

	dir, binary, config, logs string
	robot                     *robot.Robot
}

// lateness is the default of rules, which the bench's rule keeps.
const lateness = 2 * time.Second

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "imwatch-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.robot, err = robot.New(); err != nil {
		return err
	}
	defer b.robot.Close()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	names := []string{"alert", "detect", "ship"}
	if b.index {
		names = append(names, "index")
	}
	var roles []*exec.Cmd
	defer func() {
		for _, r := range roles {
			err = errors.Join(err, end(r))
		}
	}()
	for _, name := range names {
		cmd := exec.CommandContext(ctx, b.binary, name, "--config", b.config) //nolint:gosec // the program that was just built
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", name, err)
		}
		roles = append(roles, cmd)
	}
	w := &writer{path: filepath.Join(b.logs, "im-1.log"), rate: b.rate}
	if err := w.write(ctx, b.span); err != nil {
		return err
	}
	took, err := b.answers(ctx, w)
	if err != nil {
		return err
	}
	b.print(os.Stdout, w, took)
	for i, r := range roles {
		if err := end(r); err != nil {
			return fmt.Errorf("ending %s: %w", names[i], err)
		}
		s := r.ProcessState
		fmt.Fprintf(os.Stdout, "| %s | %.1f |\n", names[i], (s.UserTime() + s.SystemTime()).Seconds())
	}
	return nil
}

func end(cmd *exec.Cmd) error {
	if cmd.ProcessState != nil {
		return nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return cmd.Wait()
}

// ruleText fires for every line of its kind, each an alert of its own.
const ruleText = `
id: bench-trigger
title: A line of the bench
severity: warn
where: 'labels.bench: trigger'
group_by: [user.id]
detect: {threshold: {count: ">= 1", window: 10s}}
annotations: {summary: '{{ .Key "user.id" }}'}
`

// prepare builds the program, writes configuration and rules, and sets the cluster up.
func (b *bench) prepare(ctx context.Context) error {
	b.binary, b.config, b.logs = filepath.Join(b.dir, "imwatch"), filepath.Join(b.dir, "bench.yaml"), filepath.Join(b.dir, "log")
	if err := command(ctx, "go", "build", "-o", b.binary, "./cmd/imwatch"); err != nil {
		return err
	}
	rules, own := "["+filepath.Join(b.dir, "rules"), filepath.Join(b.dir, "rules")
	if b.rules != "" {
		rules += ", " + b.rules
	}
	for _, dir := range []string{b.logs, own} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
	}
	secret := filepath.Join(b.dir, "hook.url")
	yaml := fmt.Sprintf(`log: {level: warn}
ops: {addr: ""}
kafka: {brokers: [%q]}
elasticsearch: {addresses: [%q], replicas: 0}
shipper:
  checkpoint: %s
  sources: [{paths: ["%s/*.log"], format: contract}]
detector: {checkpoint: %s, rules: %s]%s}
alerting:
  receivers:
    - name: hook
      webhook: {url: "file:%s", allow_private: true}
      send_updated: false
      send_resolved: false
  route: {routes: [{match: ['rule = "bench-trigger"'], receivers: [hook]}]}
`, b.kafka, b.es, filepath.Join(b.dir, "ship.checkpoint"), b.logs, filepath.Join(b.dir, "detect.checkpoint"), rules, comma(b.detect), secret)
	for name, text := range map[string]string{b.config: yaml, secret: b.robot.WebhookURL(), filepath.Join(own, "bench-trigger.yaml"): ruleText} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return command(ctx, b.binary, "setup", "--config", b.config)
}

func comma(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s %v: %w", filepath.Base(name), args, err)
	}
	return nil
}
