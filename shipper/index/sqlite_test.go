package index

import (
	"context"
	"fmt"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"
)

func openStore(tb testing.TB) *sqlite.Store {
	tb.Helper()
	cfg := sqlite.DefaultConfig()
	cfg.Dir = tb.TempDir()
	s, err := sqlite.Open(cfg, quiet(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if err := s.Setup(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

func await(tb testing.TB, b bus.Bus, group string) {
	tb.Helper()
	eventually(tb, func() bool { return caughtUp(tb, b, group) })
}

// Events, put twice by two indexers that share a group and one that begins anew, are one document each in a real
// store, with event.ingested, and found by their time.
func TestRealStore(t *testing.T) {
	t.Parallel()
	b, s := newBus(t), openStore(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range 500 {
		produce(t, b, bus.TopicLifecycle, line(i, now.Add(-time.Duration(i)*time.Minute), []string{"info", "warn", "error"}[i%3]))
	}
	produce(t, b, bus.TopicLifecycle, "not json")
	cfg := DefaultConfig()
	cfg.BatchDocs = 37
	first, second := start(t, cfg, b, s), start(t, cfg, b, s)
	await(t, b, cfg.Group)
	first()
	second()
	cfg.Group = "again"
	stop := start(t, cfg, b, s)
	await(t, b, cfg.Group)
	stop()
	if err := s.Refresh(t.Context(), "*"); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for h, err := range s.Search(t.Context(), store.Query{Indices: event.EventIndices, IngestedFrom: now}) {
		if err != nil {
			t.Fatal(err)
		}
		var e event.Event
		if err := h.Decode(&e); err != nil || e.ID() != h.ID || e.Index() != h.Index {
			t.Errorf("%v: %s/%s holds %s", err, h.Index, h.ID, h.Body)
		}
		seen++
	}
	if seen != 500 {
		t.Errorf("%d documents of 500 events", seen)
	}
	if n, err := s.Count(t.Context(), store.Query{Indices: event.DeadLetterIndices}); err != nil || n != 1 {
		t.Errorf("%d dead letters, %v", n, err)
	}
}

// nowhere is a store that takes everything at once.
type nowhere struct{ store.Writer }

func (nowhere) Put(_ context.Context, docs ...store.Doc) ([]store.Result, error) {
	return make([]store.Result, len(docs)), nil
}

// endless is a bus that always has the same messages, until there were enough.
type endless struct {
	ms   []bus.Message
	left int
	done chan struct{}
}

func (e *endless) Consume(context.Context, string, ...string) (bus.Consumer, error) { return e, nil }

func (e *endless) Fetch(ctx context.Context, n int) ([]bus.Message, error) {
	if e.left <= 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n = min(n, len(e.ms), e.left)
	e.left -= n
	return e.ms[:n], nil
}

func (e *endless) Commit(context.Context, ...bus.Message) error {
	if e.left <= 0 {
		select {
		case e.done <- struct{}{}:
		default:
		}
	}
	return nil
}

func (e *endless) Close() error { return nil }

// BenchmarkIndex measures what the indexer itself costs for an event, between a bus and a store that take no time.
func BenchmarkIndex(b *testing.B) {
	const events = 100_000
	now := time.Now()
	ms := make([]bus.Message, 5000)
	for i := range ms {
		var e event.Event
		e.Begin(event.ActionDisconnect, now)
		e.SetText(event.FieldEventID, fmt.Sprintf("im-1-6aa0b2c4-%010d", i))
		e.SetText(event.FieldServiceNode, "im-1")
		e.SetText(event.FieldTraceID, fmt.Sprintf("%032x", i))
		e.SetText(event.FieldClientIP, "192.0.2.1")
		e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", i))
		e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", i))
		e.SetText(event.FieldCloseReason, "client_gone")
		e.SetInt(event.FieldCloseCode, 1006)
		ms[i] = bus.Message{Topic: bus.TopicLifecycle, Offset: int64(i), Value: e.AppendJSON(nil), Time: now}
	}
	for b.Loop() {
		src := &endless{ms: ms, left: events, done: make(chan struct{}, 1)}
		stop := start(b, DefaultConfig(), src, nowhere{})
		<-src.done
		stop()
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
