package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// peer makes a tool of another shipper, whose program is on the PATH. It is configured to do what ours does as far as it
// can: follow the file from its beginning, parse the JSON, remember its position, lz4, acks=all, large batches. config
// gives its configuration for a work folder of its own, args its arguments for both.
func (b *bench) peer(program, file string, config func(work string) string, args func(work, file string) []string) (tool, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return tool{}, fmt.Errorf("it is measured where it is installed, see bench/README.md: %w", err)
	}
	return tool{topic: othersTopic, command: func(ctx context.Context, round int) (*exec.Cmd, error) {
		work := filepath.Join(b.dir, fmt.Sprintf("%s-%d", program, round))
		if err := os.MkdirAll(work, 0o750); err != nil {
			return nil, err
		}
		file := filepath.Join(work, file)
		if err := os.WriteFile(file, []byte(config(work)), 0o600); err != nil {
			return nil, err
		}
		return exec.CommandContext(ctx, path, args(work, file)...), nil //nolint:gosec // made above
	}}, nil
}

// rsyslog follows with imfile, parses with mmjsonparse, and gives to omkafka. Its queues are as large as its manual advises.
func (b *bench) rsyslog(context.Context) (tool, error) {
	return b.peer("rsyslogd", "rsyslog.conf", func(work string) string {
		return fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
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
	}, func(work, file string) []string { return []string{"-n", "-f", file, "-i", filepath.Join(work, "pid")} })
}

// fluentBit follows with in_tail, its position in SQLite, and gives to out_kafka. Its memory is bounded, as it has to be where
// Kafka may be away.
func (b *bench) fluentBit(context.Context) (tool, error) {
	return b.peer("fluent-bit", "fluent-bit.yaml", func(work string) string {
		return fmt.Sprintf(`service:
  flush: 0.2
  log_level: warn
parsers:
  - {name: json, format: json}
pipeline:
  inputs:
    - name: tail
      path: %q
      db: %q
      db.sync: normal
      read_from_head: true
      parser: json
      buffer_chunk_size: 1M
      buffer_max_size: 1M
      mem_buf_limit: 50M
  outputs:
    - name: kafka
      match: "*"
      brokers: %q
      topics: %q
      format: json
      rdkafka.compression.codec: lz4
      rdkafka.acks: all
      rdkafka.linger.ms: 20
      rdkafka.batch.num.messages: 10000
      rdkafka.queue.buffering.max.messages: 500000
`, b.log, filepath.Join(work, "tail.db"), b.kafka, othersTopic)
	}, func(_, file string) []string { return []string{"-c", file} })
}

// filebeat follows with the input filestream and gives to output.kafka.
func (b *bench) filebeat(context.Context) (tool, error) {
	return b.peer("filebeat", "filebeat.yml", func(work string) string {
		return fmt.Sprintf(`path: {home: %[1]q, config: %[1]q, data: %[2]q, logs: %[3]q}
logging: {level: warning, to_stderr: true}
filebeat.inputs:
  - type: filestream
    id: app
    paths: [%[4]q]
    parsers:
      - ndjson: {keys_under_root: true, overwrite_keys: true}
output.kafka:
  hosts: [%[5]q]
  topic: %[6]s
  version: "2.6.0"
  compression: lz4
  required_acks: -1
  bulk_max_size: 2048
`, work, filepath.Join(work, "data"), filepath.Join(work, "logs"), b.log, b.kafka, othersTopic)
	}, func(_, file string) []string { return []string{"-e", "-c", file, "--strict.perms=false"} })
}
