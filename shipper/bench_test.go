package shipper

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/bus"
)

// instant is a bus that acknowledges at once and keeps nothing.
type instant struct{ records int }

func (i *instant) Produce(_ context.Context, _ string, ms ...bus.Message) error {
	i.records += len(ms)
	return nil
}

func (i *instant) Broadcast(context.Context, string, bus.Message) error { return nil }

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
		sink := &instant{}
		once(b, cfg, sink)
		if sink.records != lines {
			b.Fatalf("%d of %d lines were shipped", sink.records, lines)
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
