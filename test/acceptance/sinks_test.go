package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

const pythonVar = "IMWATCH_TEST_PYTHON"

// TestSinks has two indexers bring events into Elasticsearch, Parquet files and ClickHouse, and kills one or the other
// by SIGKILL all the time. In the end every event is one document, one row of one file, and one row.
func TestSinks(t *testing.T) {
	python := os.Getenv(pythonVar)
	if python == "" {
		t.Skipf("%s is not set to a python with DuckDB and chdb, see test/infra/python", pythonVar)
	}
	const events, kills = 20_000, 6
	s := newCluster(t, "")
	dir := filepath.Join(s.dir, "parquet")
	engine := clickHouse(t, python)
	var indexers []*process
	var specs []spec
	for i, port := range freePorts(t, 2) {
		specs = append(specs, spec{name: fmt.Sprintf("index-%d", i), args: []string{"index", "--config", s.config}, ops: "127.0.0.1:" + port, env: []string{
			"IMWATCH_OPS_ADDR=127.0.0.1:" + port, "IMWATCH_KAFKA_SESSION_TIMEOUT=6s",
			"IMWATCH_INDEXER_SINKS=elasticsearch,parquet,clickhouse",
			"IMWATCH_PARQUET_DIR=" + dir, "IMWATCH_PARQUET_CHUNK_BYTES=65536", "IMWATCH_PARQUET_CHUNK_AGE=1s",
			"IMWATCH_CLICKHOUSE_URL=" + engine, "IMWATCH_CLICKHOUSE_CHUNK_BYTES=65536", "IMWATCH_CLICKHOUSE_CHUNK_AGE=1s",
		}})
		indexers = append(indexers, launch(t, s.dir, specs[i]))
		indexers[i].ready(t)
	}
	b := connectKafka(t)
	produced := make(chan error, 1)
	go func() { produced <- produceEvents(t.Context(), b, events) }()
	for range kills {
		<-time.After(rand.N(3 * time.Second)) //nolint:gosec // any moment will do
		victim := rand.IntN(len(indexers))    //nolint:gosec // anyone will do
		indexers[victim].kill(t)
		indexers[victim] = launch(t, s.dir, specs[victim])
	}
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"imwatch-indexer", "imwatch-indexer-parquet", "imwatch-indexer-clickhouse"} {
		waitFor(t, group+" has everything", 5*time.Minute, func(ctx context.Context) error { return caughtUp(ctx, b, group) })
	}
	for _, p := range indexers {
		p.stop(t)
	}
	want := fmt.Sprintf("%d of %d", events, events)
	if got := countElastic(t); got != events {
		t.Errorf("Elasticsearch has %d documents of %d", got, events)
	}
	query := fmt.Sprintf(`SELECT count(*) || ' of ' || count(DISTINCT event.id) AS n FROM read_parquet('%s/events/**/*.parquet', hive_partitioning=true)`, dir)
	out, err := exec.CommandContext(t.Context(), python, "../../shipper/index/parquet/testdata/duck.py", query).CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("DuckDB finds %s, want %s: %v", out, want, err)
	}
	if got := ask(t, engine, "SELECT concat(toString(count()), ' of ', toString(uniqExact(event_id))) FROM imwatch.events FORMAT TabSeparated"); strings.TrimSpace(got) != want {
		t.Errorf("ClickHouse has %s, want %s", got, want)
	}
}

// clickHouse starts ClickHouse's engine and gives its address.
func clickHouse(t *testing.T, python string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "../../shipper/index/clickhouse/testdata/server.py", t.TempDir())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it was told to end, or the test's context ends it
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("ClickHouse's engine did not start: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(line)
}

func ask(t *testing.T, engine, query string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, engine+"/?query="+url.QueryEscape(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %d: %s", query, err, res.StatusCode, answer)
	}
	return string(answer)
}

func connectKafka(t *testing.T) bus.Bus {
	t.Helper()
	cfg := kafkabus.DefaultConfig()
	cfg.Brokers = []string{os.Getenv(kafkaVar)}
	log := logrus.New()
	log.SetOutput(io.Discard)
	b, err := kafkabus.New(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// produceEvents writes events of today, a thousand a second.
func produceEvents(ctx context.Context, b bus.Bus, n int) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < n; {
		var ms []bus.Message
		for ; i < n && len(ms) < 100; i++ {
			var e event.Event
			e.Begin(event.ActionConnect, time.Now())
			e.SetText(event.FieldEventID, fmt.Sprintf("im-1-sinks-%010d", i))
			e.SetText(event.FieldLogLevel, []string{"info", "warn", "error"}[i%3])
			e.SetText(event.FieldUserID, "u-"+strconv.Itoa(i%500))
			ms = append(ms, bus.Message{Key: []byte(e.Key()), Value: e.AppendJSON(nil)})
		}
		if err := b.Produce(ctx, bus.TopicLifecycle, ms...); err != nil {
			return fmt.Errorf("producing: %w", err)
		}
		<-tick.C
	}
	return nil
}

// caughtUp is nil when a group has committed all there is.
func caughtUp(ctx context.Context, b bus.Bus, group string) error {
	ends, err := b.Ends(ctx, bus.TopicLifecycle)
	if err != nil {
		return err
	}
	committed, err := b.Committed(ctx, group, bus.TopicLifecycle)
	if err != nil {
		return err
	}
	for p, end := range ends {
		if committed[p] != end {
			return fmt.Errorf("partition %d: committed %d of %d", p, committed[p], end)
		}
	}
	return nil
}

func countElastic(t *testing.T) (n int) {
	t.Helper()
	es := os.Getenv(elasticVar)
	for _, call := range []string{"/im-connection-*/_refresh", "/im-connection-*/_count"} {
		body, err := get(t.Context(), es+call)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Count int }
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		n = got.Count
	}
	return n
}
