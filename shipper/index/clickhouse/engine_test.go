package clickhouse

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/shipper/index/chunk"
	"imwatch/shipper/index/chunk/chunktest"
)

// On ClickHouse's own engine: what goes in comes out with its types, once, however often it is kept and by whom; and
// the first to lay a chunk down decides.
func TestEngine(t *testing.T) {
	t.Parallel()
	url := engine(t)
	k := keeper(t, url)
	today := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour) // what is past its time is deleted
	c := chunktest.Mixed(1000, today, time.Minute)
	c.To = 1000
	odd := chunktest.Event(1000, today.Add(123456789), "error")
	odd.Body = []byte(strings.TrimSuffix(string(odd.Body), "}") + `,"strange":{"n":[1,2]},"trace":{"id":["a","b"]},"client":{"geo":{"location":{"lat":1.5,"lon":2}}}}`)
	c.Items = append(c.Items, odd)

	for _, who := range []*Keeper{k, k, keeper(t, url)} {
		if err := who.Keep(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	got := rows(t, k, `SELECT toInt32(count()) AS n, toInt32(uniqExact(event_id)) AS ids, sum(im_sample_weight) AS weight, toInt32(uniqExact(kafka_offset)) AS offsets,
		toInt32(max(http_response_status_code)) AS status, max(im_heartbeat_rtt_ms) AS rtt, toInt32(countIf(im_session_resumed)) AS resumed, toInt32(countIf(class = 'warn')) AS warnings,
		toInt32(countIf(client_ip = '192.0.2.1')) AS clients, any(event_category) AS categories, toInt32(uniqExact(toDate(timestamp))) AS days FROM imwatch.events`)
	want := []map[string]any{{
		"n": 991., "ids": 991., "weight": 991., "offsets": 991., "status": 101., "rtt": 2.5, "resumed": 491., "warnings": 330., "clients": 991.,
		"categories": []any{"session", "network"}, "days": 2.,
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = rows(t, k, `SELECT extra, timestamp AS at, event_ingested AS ingested, client_geo_location AS place, trace_id FROM imwatch.events WHERE kafka_offset = 1000`)
	day := today.Format(time.DateOnly)
	want = []map[string]any{{
		"extra": `{"labels.team":"im","strange.n":[1,2],"trace.id":["a","b"]}`, "at": day + " 12:00:00.123456789",
		"ingested": day + " 12:00:01.123456789", "place": `{"lat":1.5,"lon":2}`, "trace_id": "a",
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = rows(t, k, `SELECT toInt32(count()) AS n, any(reason) AS reason, any(JSONExtractString(letter, 'original')) AS original FROM imwatch.dead_letters`)
	if d := cmp.Diff([]map[string]any{{"n": 10., "reason": "json", "original": "{'"}}, got); d != "" {
		t.Error(d)
	}

	t.Run("a row that ClickHouse refuses", func(t *testing.T) { refusedRow(t, k, today) })
	t.Run("spans", func(t *testing.T) { spans(t, url) })
}

// refusedRow has one row at fault among many: it is a dead letter, the others are kept, and again nothing is doubled.
func refusedRow(t *testing.T, k *Keeper, at time.Time) {
	t.Helper()
	for _, change := range []string{"DROP COLUMN user_id", "ADD COLUMN user_id UInt8"} { // somebody had other plans with it
		if _, err := k.client.do(t.Context(), "ALTER TABLE imwatch.events "+change, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := chunk.Chunk{Place: chunk.Place{Topic: "im.lifecycle", Partition: 4}, Span: chunk.Span{From: 0, To: 9}}
	for n := range int64(10) {
		it := chunktest.Event(n, at, "info")
		it.Partition = 4
		if n != 6 {
			it.Body = []byte(strings.Replace(string(it.Body), `"u-`, `"`, 1))
		}
		c.Items = append(c.Items, it)
	}
	for range 2 {
		if err := k.Keep(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	got := rows(t, k, "SELECT arraySort(groupArray(toInt32(kafka_offset))) AS kept FROM imwatch.events WHERE kafka_partition = 4")
	if d := cmp.Diff([]map[string]any{{"kept": []any{0., 1., 2., 3., 4., 5., 7., 8., 9.}}}, got); d != "" {
		t.Error(d)
	}
	got = rows(t, k, "SELECT id, reason FROM imwatch.dead_letters WHERE kafka_partition = 4")
	if d := cmp.Diff([]map[string]any{{"id": "im.lifecycle-4-6", "reason": "rejected"}}, got); d != "" {
		t.Error(d)
	}
}

func spans(t *testing.T, url string) {
	t.Helper()
	at := chunk.Place{Topic: "im.lifecycle", Partition: 5}
	var wg sync.WaitGroup
	ends := make([]int64, 8)
	for i := range ends {
		k := keeper(t, url)
		wg.Go(func() {
			got, err := k.Span(t.Context(), at, chunk.Span{From: 100, To: int64(100 + i)})
			if err != nil {
				t.Error(err)
			}
			ends[i] = got.To
		})
	}
	wg.Wait()
	for i, to := range ends {
		if to != ends[0] {
			t.Errorf("worker %d was given %d, worker 0 %d", i, to, ends[0])
		}
	}
	k := keeper(t, url)
	for want, give := range map[chunk.Span]chunk.Span{
		{From: ends[0], To: 200}: {From: 100, To: ends[0]}, // inside of what is laid down
		{From: 50, To: 300}:      {From: 50, To: 99},       // before it
	} {
		got, err := k.Span(t.Context(), at, want)
		if err != nil || got != give {
			t.Errorf("%v: %v %v, want %v", want, got, err, give)
		}
	}
}
