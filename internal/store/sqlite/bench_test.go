package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// BenchmarkPut puts batches of 1,000 events of the usual size.
func BenchmarkPut(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprintf("full_sync=%v", sync), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir(), MaxOpenFiles: 4, FullSync: sync})
			n, bytes := 0, 0
			for b.Loop() {
				b.StopTimer()
				docs := events(n, 1000)
				b.StartTimer()
				if _, err := s.Put(b.Context(), docs...); err != nil {
					b.Fatal(err)
				}
				n += len(docs)
				bytes += len(docs[0].Body) * len(docs)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "docs/s")
			b.ReportMetric(float64(bytes/n), "bytes/doc")
		})
	}
}

// events makes n events a millisecond apart, with ids in no order.
func events(from, n int) []store.Doc {
	docs := make([]store.Doc, n)
	for i := range docs {
		id := fmt.Sprintf("%016x-%010d", rand.Uint64(), from+i)
		docs[i] = benchDoc(id, time.Unix(1795000000, int64(from+i)*1e6))
	}
	return docs
}

// BenchmarkQuery asks a file of 100,000 events.
func BenchmarkQuery(b *testing.B) {
	s := open(b, Config{Dir: b.TempDir(), MaxOpenFiles: 4})
	for i := 0; i < 100_000; i += 1000 {
		if _, err := s.Put(b.Context(), events(i, 1000)...); err != nil {
			b.Fatal(err)
		}
	}
	field := func(id event.FieldID) filter.Field {
		f := event.FieldByID(id)
		return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
	}
	all := store.Query{Indices: event.EventIndices}
	minute := store.Query{Indices: event.EventIndices, From: time.Unix(1795000010, 0), To: time.Unix(1795000011, 0)}
	hot := all
	hot.Where = filter.Equal{Field: field(event.FieldEventAction), Value: event.KeywordValue("disconnect")}
	cold := all
	cold.Where = filter.Equal{Field: field(event.FieldSessionID), Value: event.KeywordValue("none")}
	late := all
	late.IngestedFrom = time.Unix(1795000100, 0)
	for name, run := range map[string]func() error{
		"search of 1000 in a range": func() error { return drain(b, s, minute) },
		"search of late ones":       func() error { return drain(b, s, late) },
		"scan on a hot column":      func() error { return drain(b, s, hot) },
		"scan on a decoded field":   func() error { return drain(b, s, cold) },
		"count":                     func() error { _, err := s.Count(b.Context(), hot); return err },
		"group by node":             func() error { return groupBy(b, s, all, field(event.FieldServiceNode)) },
		"group by user":             func() error { return groupBy(b, s, all, field(event.FieldUserID)) },
		"group by session, decoded": func() error { return groupBy(b, s, all, field(event.FieldSessionID)) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func drain(b *testing.B, s *Store, q store.Query) error {
	b.Helper()
	for _, err := range s.Search(b.Context(), q) {
		if err != nil {
			return err
		}
	}
	return nil
}

func groupBy(b *testing.B, s *Store, q store.Query, f filter.Field) error {
	b.Helper()
	for _, err := range s.Aggregate(b.Context(), q, []filter.Field{f}, 0) {
		if err != nil {
			return err
		}
	}
	return nil
}
