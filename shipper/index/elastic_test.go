package index

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/store/elastic"
)

// realCluster is a real Elasticsearch and a day of this test's own in it.
type realCluster struct {
	url   string
	store *elastic.Store
	day   time.Time
}

func onElastic(t *testing.T) *realCluster {
	t.Helper()
	url := os.Getenv("IMWATCH_TEST_ES")
	if url == "" {
		t.Skip("IMWATCH_TEST_ES is not set to the address of an Elasticsearch, such as http://127.0.0.1:9200")
	}
	cfg := elastic.DefaultConfig()
	cfg.Addresses, cfg.Replicas = []string{url}, 0
	s, err := elastic.New(cfg, quiet(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -100-rand.IntN(70)) // errors are kept for so long
	c := &realCluster{url, s, day}
	drop := func(ctx context.Context) {
		if err := s.Drop(ctx, c.index()); err != nil {
			t.Error(err)
		}
	}
	drop(t.Context())
	t.Cleanup(func() { drop(context.Background()) })
	return c
}

func (c *realCluster) index() string { return event.IndexFor(event.ClassError, c.day) }

func (c *realCluster) call(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %v, %d: %s", method, path, err, res.StatusCode, answer)
	}
	http.DefaultClient.CloseIdleConnections()
	return string(answer)
}

func (c *realCluster) count(t *testing.T) (n int) {
	t.Helper()
	c.call(t, http.MethodPost, "/"+c.index()+"/_refresh", "")
	var got struct{ Count int }
	if err := json.Unmarshal([]byte(c.call(t, http.MethodGet, "/"+c.index()+"/_count", "")), &got); err != nil {
		t.Fatal(err)
	}
	return got.Count
}

// run starts an indexer and gives what it warns of.
func (c *realCluster) run(t *testing.T, b bus.Bus, cfg Config) (*Indexer, func() []string) {
	t.Helper()
	log, hook := test.NewNullLogger()
	x, err := New(cfg, Deps{Bus: b, Store: c.store, Search: c.store, Log: log, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}))
	return x, func() (warnings []string) {
		for _, e := range hook.AllEntries() {
			if err, ok := e.Data[logrus.ErrorKey].(error); ok {
				warnings = append(warnings, err.Error())
			}
		}
		return warnings
	}
}

// An index that Elasticsearch has closed to writing, of a full disk or by hand, holds the indexer up, says why, and loses
// nothing: once it is open again everything is in it.
func TestBlockedIndex(t *testing.T) {
	for block, says := range map[string]string{
		"read_only_allow_delete": "read-only-allow-delete block", // what a disk past its flood stage sets
		"read_only":              "index read-only",
		"write":                  "index write",
	} {
		t.Run(block, func(t *testing.T) {
			c, b := onElastic(t), newBus(t)
			cfg := DefaultConfig()
			cfg.RetryMax = 200 * time.Millisecond
			x, warnings := c.run(t, b, cfg)
			produce(t, b, bus.TopicLifecycle, line(0, c.day.Add(time.Hour), "error"))
			await(t, b, cfg.Group)
			set := func(to string) {
				c.call(t, http.MethodPut, "/"+c.index()+"/_settings", fmt.Sprintf(`{"index.blocks.%s":%s}`, block, to))
			}
			set("true")
			for i := range 50 {
				produce(t, b, bus.TopicLifecycle, line(1+i, c.day.Add(time.Hour), "error"))
			}
			eventually(t, func() bool { return strings.Contains(strings.Join(warnings(), "\n"), says) })
			if caughtUp(t, b, cfg.Group) {
				t.Error("committed what could not be stored")
			}
			set("null")
			await(t, b, cfg.Group)
			if n := c.count(t); n != 51 {
				t.Errorf("%d documents of 51", n)
			}
			if n := testutil.CollectAndCount(x.metrics.letters); n != 0 {
				t.Error("something became a dead letter")
			}
		})
	}
}

// A document that does not fit an index's mapping is a dead letter with Elasticsearch's words, and counted; the others
// go on.
func TestMappingConflict(t *testing.T) {
	c, b := onElastic(t), newBus(t)
	c.call(t, http.MethodPut, "/"+c.index(), `{"mappings":{"properties":{"trace":{"properties":{"id":{"type":"long"}}}}}}`)
	good, bad := line(1, c.day, "error"), strings.TrimSuffix(line(2, c.day, "error"), "}")+`,"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"}}`
	produce(t, b, bus.TopicLifecycle, good, bad, line(3, c.day, "error"))
	cfg := DefaultConfig()
	x, _ := c.run(t, b, cfg)
	await(t, b, cfg.Group)
	if n := c.count(t); n != 2 {
		t.Errorf("%d documents of 2", n)
	}
	if n := testutil.ToFloat64(x.metrics.letters.WithLabelValues("rejected")); n != 1 {
		t.Errorf("%v dead letters", n)
	}
	if n := testutil.ToFloat64(x.metrics.events.WithLabelValues(outcomeDeadLetter)); n != 1 {
		t.Errorf("%v dead letters stored", n)
	}
}

// A batch that is larger than the cluster takes in one request goes in several.
func TestLargerThanARequest(t *testing.T) {
	c, b := onElastic(t), newBus(t)
	const events = 4000
	for i := range events {
		text := strings.Replace(line(i, c.day, "error"), `"message":"`, `"message":"`+strings.Repeat("x", 1500), 1)
		produce(t, b, bus.TopicLifecycle, text)
	}
	cfg := DefaultConfig()
	c.run(t, b, cfg)
	await(t, b, cfg.Group)
	if n := c.count(t); n != events {
		t.Errorf("%d documents of %d", n, events)
	}
}

// What is stored is looked for until Elasticsearch finds it: not before its index was refreshed.
func TestSearchableOnElasticsearch(t *testing.T) {
	c, b := onElastic(t), newBus(t)
	c.call(t, http.MethodPut, "/"+c.index(), `{"settings":{"index.refresh_interval":"-1"}}`)
	cfg := DefaultConfig()
	cfg.ProbeInterval = time.Second
	x, warnings := c.run(t, b, cfg)
	produce(t, b, bus.TopicLifecycle, line(0, c.day, "error"))
	eventually(t, func() bool { s := x.Status().Searchable; return s.Waiting && s.Seconds > 2 })
	if s := x.Status().Searchable; s.At != nil || s.Index != c.index() || s.Error != "" {
		t.Errorf("%+v", s)
	}
	c.call(t, http.MethodPost, "/"+c.index()+"/_refresh", "")
	eventually(t, func() bool { return !x.Status().Searchable.Waiting })
	first := x.Status().Searchable
	if first.At == nil || first.Seconds < 2 {
		t.Errorf("%+v", first)
	}
	c.call(t, http.MethodPut, "/"+c.index()+"/_settings", `{"index.refresh_interval":null}`) // as our template has it
	for i := 1; first.At.Equal(*x.Status().Searchable.At); i++ {
		produce(t, b, bus.TopicLifecycle, line(i, c.day, "error"))
		await(t, b, cfg.Group)
		<-time.After(100 * time.Millisecond)
	}
	s := x.Status().Searchable
	t.Logf("found %v s after it was stored", s.Seconds)
	if s.Seconds <= 0 || len(warnings()) > 0 {
		t.Errorf("%+v, %v", s, warnings())
	}
}

// A disk that passes its flood stage stops the indexer, and room on it lets it go on, with nobody's help.
func TestFullDisk(t *testing.T) {
	if os.Getenv("IMWATCH_TEST_ES_SCRIPT") == "" {
		t.Skip("IMWATCH_TEST_ES_SCRIPT is not set: the cluster may be somebody else's, and this makes its disk look full")
	}
	c, b := onElastic(t), newBus(t)
	cfg := DefaultConfig()
	cfg.RetryMax = time.Second
	_, warnings := c.run(t, b, cfg)
	produce(t, b, bus.TopicLifecycle, line(0, c.day, "error"))
	await(t, b, cfg.Group)
	watermarks := func(low, high, flood string) {
		c.call(t, http.MethodPut, "/_cluster/settings", fmt.Sprintf(`{"persistent":{"cluster.info.update.interval":"10s","cluster.routing.allocation.disk":{"threshold_enabled":true,
			"watermark":{"low":%s,"high":%s,"flood_stage":%s}}}}`, low, high, flood))
	}
	t.Cleanup(func() {
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodPut, c.url+"/_cluster/settings", strings.NewReader(`{"persistent":{"cluster.*":null}}`))
		req.Header.Set("Content-Type", "application/json")
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
	})
	watermarks(`"100000gb"`, `"100000gb"`, `"100000gb"`) // of free room: no disk has so much
	eventually(t, func() bool {
		return strings.Contains(c.call(t, http.MethodGet, "/"+c.index()+"/_settings", ""), "read_only_allow_delete")
	})
	for i := range 20 {
		produce(t, b, bus.TopicLifecycle, line(1+i, c.day, "error"))
	}
	eventually(t, func() bool { return strings.Contains(strings.Join(warnings(), "\n"), "flood-stage watermark") })
	if caughtUp(t, b, cfg.Group) {
		t.Error("committed what could not be stored")
	}
	watermarks(`"1b"`, `"1b"`, `"1b"`)
	await(t, b, cfg.Group)
	if n := c.count(t); n != 21 {
		t.Errorf("%d documents of 21", n)
	}
}
