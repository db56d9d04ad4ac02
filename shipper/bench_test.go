package shipper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

// instant is a bus that acknowledges at once and keeps nothing.
type instant struct {
	Bus
	records atomic.Int64
}

func (i *instant) ProduceSealed(_ context.Context, topic string, _ int, as bus.Stamp, sealed []byte) error {
	h, err := recordbatch.Inspect(sealed)
	if err == nil && topic == bus.TopicLifecycle {
		i.records.Add(int64(h.Count))
	}
	return errors.Join(err, recordbatch.Stamp(sealed, as, time.Now()))
}

func (i *instant) Broadcast(context.Context, string, bus.Message) error { return nil }

// Seal compresses, as on the way to Kafka.
func (i *instant) Seal(dst []byte, ms []bus.Message, pick []int32) ([]byte, int, error) {
	return benchEncoder.Append(dst, ms, pick)
}

var benchEncoder = recordbatch.NewEncoder(recordbatch.LZ4, 1_000_000)

// BenchmarkFileToBus ships a file of 600-byte lines to a bus that acknowledges at once, checkpoint and watermarks
// included.
func BenchmarkFileToBus(b *testing.B) {
	const lines = 100_000
	dir := b.TempDir()
	live := filepath.Join(dir, "app.log")
	size := writeBenchFile(b, live, lines)
	b.SetBytes(size)
	for b.Loop() {
		cfg := config(dir, live)
		cfg.Checkpoint = filepath.Join(b.TempDir(), "checkpoint.json")
		sink := &instant{Bus: newBus(b)}
		once(b, cfg, sink)
		if sink.records.Load() != lines {
			b.Fatalf("%d of %d lines were shipped", sink.records.Load(), lines)
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

func writeBenchFile(b *testing.B, path string, lines int) int64 {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	buf := make([]byte, 0, 1024)
	for n := range lines {
		buf = benchEvent(n).AppendJSON(buf[:0])
		if _, err := w.Write(append(buf, '\n')); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// benchEvent is the end of a connection, with what such a line usually carries.
func benchEvent(n int) *event.Event {
	var e event.Event
	e.Begin(event.ActionDisconnect, epoch.Add(time.Duration(n)*time.Millisecond))
	e.SetText(event.FieldEventID, fmt.Sprintf("im-1-6aa0b2c4-%010d", n))
	e.SetInt(event.FieldEventDuration, int64(n)*1_000_003)
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldServiceVersion, "1.0.0")
	e.SetText(event.FieldServiceNode, "im-1")
	e.SetText(event.FieldTraceID, fmt.Sprintf("%032x", n+1))
	e.SetText(event.FieldSpanID, fmt.Sprintf("%016x", n+1))
	e.SetText(event.FieldClientIP, fmt.Sprintf("192.0.2.%d", n%250))
	e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%5000))
	e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", n))
	e.SetInt(event.FieldCloseCode, 1006)
	e.SetText(event.FieldCloseReason, "client_gone")
	e.SetText(event.FieldCloseInitiator, "network")
	e.SetInt(event.FieldBytesIn, int64(n%4096))
	e.SetInt(event.FieldBytesOut, int64(n%8192))
	return &e
}
