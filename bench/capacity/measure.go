package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measuring takes a million events the whole way on a real Kafka and Elasticsearch, and notes what they cost.
type measuring struct {
	out              io.Writer
	events           int64
	kafka, kafkaRun  string
	es               server
	file, dir        string
	binary, cfg, log string
	figures          Figures
	day              time.Time
	bytes            int64 // of the lines
}

func measure(ctx context.Context, args []string, out io.Writer) (err error) {
	m := measuring{out: out}
	fs := flag.NewFlagSet("measure", flag.ContinueOnError)
	fs.Int64Var(&m.events, "events", 1_000_000, "how many events of the scenario fleet")
	fs.StringVar(&m.kafka, "kafka", "127.0.0.1:19692", "address of a Kafka of one's own")
	fs.StringVar(&m.kafkaRun, "kafka-run", "", "its folder, with its log and its pid")
	fs.StringVar((*string)(&m.es.Server), "es", "http://127.0.0.1:19793", "address of an Elasticsearch of one's own: its indices im-* are deleted")
	fs.StringVar(&m.file, "figures", measured, "the file in which figures are replaced")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if m.figures, err = load(m.file); err != nil && m.figures == nil {
		return err
	}
	if m.dir, err = os.MkdirTemp("", "imwatch-capacity-"); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.dir)) }()
	for _, step := range []func(context.Context) error{m.prepare, m.ship, m.index, m.disk, m.detect} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return m.figures.save(m.file)
}

// note sets a figure, and says so.
func (m *measuring) note(name string, value float64, unit, how string, args ...any) {
	places := 0
	if value < 100 {
		places = 2
	}
	v, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'f', places, 64), 64) // it was made by FormatFloat
	f := Figure{name, v, unit, fmt.Sprintf(how, args...), time.Now().UTC().Format(time.DateOnly)}
	m.figures.put(f)
	_, _ = fmt.Fprintf(m.out, "%s = %v %s: %s\n", f.Name, f.Value, f.Unit, f.How)
}

func (m *measuring) prepare(ctx context.Context) error {
	m.binary, m.cfg, m.log = filepath.Join(m.dir, "imwatch"), filepath.Join(m.dir, "bench.yaml"), filepath.Join(m.dir, "events.log")
	if err := command(ctx, "go", "build", "-o", m.binary, "./cmd/imwatch"); err != nil {
		return err
	}
	yaml := fmt.Sprintf(`log: {level: warn}
ops: {addr: ""}
kafka: {brokers: [%q]}
elasticsearch: {addresses: [%q], replicas: 0}
indexer: {group: capacity-%d}
shipper:
  checkpoint: %s
  sources: [{paths: [%s], format: contract}]
`, m.kafka, m.es.Server, os.Getpid(), filepath.Join(m.dir, "checkpoint.json"), m.log)
	if err := os.WriteFile(m.cfg, []byte(yaml), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if err := m.es.Drop(ctx); err != nil {
		return err
	}
	if err := command(ctx, m.binary, "setup", "--config", m.cfg); err != nil {
		return err
	}
	m.day = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	if err := command(ctx, m.binary, "sim", "generate", "fleet", "--count", strconv.FormatInt(m.events, 10), "--from", m.day.Format(time.RFC3339), "--out", m.log); err != nil {
		return err
	}
	st, err := os.Stat(m.log)
	if err != nil {
		return fmt.Errorf("asking for the lines' size: %w", err)
	}
	m.bytes = st.Size()
	m.note(figLine, float64(m.bytes)/float64(m.events), "bytes", "imwatch sim generate fleet --count %d", m.events)
	return nil
}

func (m *measuring) ship(ctx context.Context) error {
	before, err := m.kafkaCPU()
	if err != nil {
		return err
	}
	u, err := runStage(ctx, m.binary, nil, "ship", "--once", "--config", m.cfg)
	if err != nil {
		return err
	}
	after, err := m.kafkaCPU()
	if err != nil {
		return err
	}
	how := fmt.Sprintf("imwatch ship --once of these lines into Kafka 4.1, 4 partitions, lz4, acks=all, queue on disk: %.1f s, %.1f CPU s", u.wall.Seconds(), u.cpu.Seconds())
	m.note(figShip, u.cpu.Seconds()/(float64(m.bytes)/1e9), "CPU s/GB", "%s", how)
	m.note(figShipMemory, float64(u.peak)/1024, "MiB", "%s", how)
	m.note(figKafkaCPU, (after-before).Seconds()/float64(m.events)*1e6, "CPU s", "the broker meanwhile, one copy")
	size, err := sizeOf(filepath.Join(m.kafkaRun, "log", "im.lifecycle-*", "*.log"))
	if err != nil {
		return err
	}
	m.note(figKafkaLine, float64(size)/float64(m.events), "bytes", "segments of im.lifecycle after that, with what the shipper adds and watermarks")
	return nil
}

func (m *measuring) kafkaCPU() (time.Duration, error) {
	b, err := os.ReadFile(filepath.Join(m.kafkaRun, "kafka.pid"))
	if err != nil {
		return 0, fmt.Errorf("looking for Kafka's process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("looking for Kafka's process: %w", err)
	}
	return cpuOf(pid)
}

func (m *measuring) index(ctx context.Context) error {
	before, err := m.es.CPU(ctx)
	if err != nil {
		return err
	}
	u, err := runStage(ctx, m.binary, m.indexed, "index", "--config", m.cfg)
	if err != nil {
		return err
	}
	after, err := m.es.CPU(ctx)
	if err != nil {
		return err
	}
	how := fmt.Sprintf("imwatch index of them into Elasticsearch 8.19 (one shard an index, heap of %s): %.1f s, %.1f CPU s, Elasticsearch %.1f CPU s",
		os.Getenv("ES_HEAP"), u.wall.Seconds(), u.cpu.Seconds(), (after - before).Seconds())
	m.note(figIndex, float64(m.events)/u.cpu.Seconds(), "docs/CPU s", "%s", how)
	m.note(figIndexMemory, float64(u.peak)/1024, "MiB", "%s", how)
	m.note(figElastic, float64(m.events)/(after-before).Seconds(), "docs/CPU s", "%s", how)
	return nil
}

// indexed waits until every event is a document.
func (m *measuring) indexed(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		var n struct{ Count int64 }
		if err := m.es.Call(ctx, http.MethodGet, "/im-connection-*/_count", nil, &n); err == nil && n.Count >= m.events {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *measuring) disk(ctx context.Context) error {
	const all = "im-connection-*"
	h, err := m.es.held(ctx, all)
	if err != nil {
		return err
	}
	if h.docs != m.events {
		return fmt.Errorf("%d documents for %d events", h.docs, m.events)
	}
	m.note(figDoc, float64(h.bytes)/float64(h.docs), "bytes", "_stats of these indices after a flush: %d documents, %d bytes in %d segments, by index %v", h.docs, h.bytes, h.segments, h.by)
	if err := m.es.merge(ctx, all); err != nil {
		return err
	}
	merged, err := m.es.held(ctx, all)
	if err != nil {
		return err
	}
	m.note(figDocMerged, float64(merged.bytes)/float64(merged.docs), "bytes", "the same after _forcemerge?max_num_segments=1: %d bytes in %d segments", merged.bytes, merged.segments)
	from := "im-connection-info-" + m.day.Format("2006.01.02")
	to := "im-connection-info-" + m.day.AddDate(0, 0, -1).Format("2006.01.02")
	info, err := m.es.held(ctx, from)
	if err != nil {
		return err
	}
	if err := m.es.again(ctx, from, to, `{"index.codec":"best_compression","index.refresh_interval":"-1"}`); err != nil {
		return err
	}
	best, err := m.es.held(ctx, to)
	if err != nil {
		return err
	}
	if best.docs != info.docs {
		return fmt.Errorf("%d of %d documents were written again", best.docs, info.docs)
	}
	m.note(figDocBest, float64(merged.bytes)/float64(merged.docs)*float64(best.bytes)/float64(info.bytes), "bytes",
		"merged size × what _reindex of the info index into one with index.codec best_compression came to: %d bytes in place of %d", best.bytes, info.bytes)
	return nil
}

func (m *measuring) detect(ctx context.Context) error {
	u, err := runStage(ctx, m.binary, nil, "rules", "backtest", "--rules", "rules", "--events", m.log, "--out", os.DevNull)
	if err != nil {
		return err
	}
	m.note(figDetect, float64(m.events)/u.cpu.Seconds(), "events/CPU s", "imwatch rules backtest of all shipped rules over these lines, decoding included: %.1f s, %.1f CPU s, %d MiB", u.wall.Seconds(), u.cpu.Seconds(), u.peak/1024)
	return nil
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s %v: %w", filepath.Base(name), args, err)
	}
	return nil
}
