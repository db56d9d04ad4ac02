package parquet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
	"imwatch/shipper/index/chunk/chunktest"
)

// A chunk is files by day and class; kept again, it is the same files byte by byte, also where a first attempt has
// left only some of them.
func TestAgainTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := chunktest.Mixed(2000, noon, 30*time.Second)
	if err := keeper(t, dir).Keep(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	first := tree(t, dir)
	name := "im.lifecycle-3-00000000000000000000-00000000000000001999.parquet"
	var want []string
	for _, day := range []string{"2026-11-21", "2026-11-22"} {
		want = append(want, "deadletters/day="+day+"/"+name)
		for _, class := range []string{"error", "info", "warn"} {
			want = append(want, "events/day="+day+"/class="+class+"/"+name)
		}
	}
	slices.Sort(want)
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(first))); d != "" {
		t.Fatal(d)
	}
	if err := os.Remove(filepath.Join(dir, want[3])); err != nil {
		t.Fatal(err)
	}
	if err := keeper(t, dir).Keep(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, tree(t, dir)); d != "" {
		t.Errorf("kept again, it differs")
	}
	rows := 0
	for path := range first {
		f, err := os.Open(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		p, err := parquet.OpenFile(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		rows += int(p.NumRows())
		if to, _ := p.Lookup("imwatch.to"); to != "1999" {
			t.Errorf("imwatch.to is %q", to)
		}
		_ = f.Close()
	}
	if rows != len(c.Items) {
		t.Errorf("%d rows of %d items", rows, len(c.Items))
	}
}

// What cannot be written leaves nothing behind.
func TestNothingHalf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := chunktest.Mixed(2000, noon, 30*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := keeper(t, dir).Keep(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	c.Items = append(c.Items, index.Item{ID: "x", Body: []byte("not json")})
	if err := keeper(t, dir).Keep(t.Context(), c); err == nil || !strings.Contains(err.Error(), "im.lifecycle-3") {
		t.Errorf("no event: %v", err)
	}
	if files := tree(t, dir); len(files) > 0 {
		t.Errorf("left: %v", slices.Collect(maps.Keys(files)))
	}
}

// DuckDB reads what was written: every field of the contract with its type, and what the contract does not name.
func TestDuckDBReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := chunktest.Mixed(2000, noon, 30*time.Second)
	one := chunktest.Event(2000, noon.Add(123456789), "error")
	one.Body = []byte(strings.TrimSuffix(string(one.Body), "}") + `,"strange":{"n":[1,2]},"trace":{"id":["a","b"]},"client":{"geo":{"location":{"lat":1.5,"lon":2}}}}`)
	c.Items = append(c.Items, one)
	c.To = 2000
	if err := keeper(t, dir).Keep(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	from := fmt.Sprintf("FROM read_parquet('%s/events/**/*.parquet', hive_partitioning=true)", dir)
	got := duck(t, `SELECT count(*) AS n, count(DISTINCT event.id) AS ids, sum(im.heartbeat.rtt_ms) AS rtt, count(DISTINCT kafka.offset) AS offsets,
		min("@timestamp") AS first, max(http.response.status_code) AS status, count(*) FILTER (im.session.resumed) AS resumed,
		count(*) FILTER (class = 'error') AS errors, count(*) FILTER (client.ip = '192.0.2.1') AS clients, max(array_length(event.category)) AS categories `+from)
	want := []map[string]any{{
		"n": 1981., "ids": 1981., "rtt": 1981 * 2.5, "offsets": 1981., "first": "2026-11-21 12:00:00+00:00", "status": 101., "resumed": 981.,
		"errors": 660., "clients": 1981., "categories": 2.,
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = duck(t, `SELECT extra, "@timestamp" AS at, event.ingested AS ingested, client.geo.location AS place, trace.id AS trace, event.type AS types `+from+` WHERE kafka.offset = 2000`)
	want = []map[string]any{{
		"extra": `{"labels.team":"im","strange.n":[1,2],"trace.id":["a","b"]}`, "at": "2026-11-21 12:00:00.123456+00:00",
		"ingested": "2026-11-21 12:00:01.123456+00:00", "place": `{"lat":1.5,"lon":2}`, "trace": "a", "types": []any{"start", "connection"},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = duck(t, fmt.Sprintf(`SELECT count(*) AS n, any_value(reason) AS reason, any_value(letter->>'original') AS original FROM read_parquet('%s/deadletters/**/*.parquet')`, dir))
	if d := cmp.Diff([]map[string]any{{"n": 20., "reason": "json", "original": "{'"}}, got); d != "" {
		t.Error(d)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Compression: "lzma"}.Validate()
	for _, key := range []string{"dir:", "compression:", "lzma", "chunk."} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
}

// BenchmarkKeep measures how fast events become files.
func BenchmarkKeep(b *testing.B) {
	dir := b.TempDir()
	k := keeper(b, dir)
	c := chunk.Chunk{Place: chunk.Place{Topic: "im.lifecycle", Partition: 3}, Span: chunk.Span{To: 49_999}}
	for n := range int64(50_000) {
		c.Items = append(c.Items, chunktest.Event(n, noon, "info"))
	}
	for b.Loop() {
		if err := k.Keep(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*50_000/b.Elapsed().Seconds(), "events/s")
}
