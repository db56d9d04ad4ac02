package eventlog

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
)

// fillEnd fills a disconnect line with all that a connection says at its end.
func fillEnd(ev *event.Event, at time.Time) {
	ev.Begin(event.ActionDisconnect, at)
	for _, f := range []struct {
		id   event.FieldID
		text string
	}{
		{event.FieldServiceName, "im-server"},
		{event.FieldServiceVersion, "1.0.0"},
		{event.FieldServiceEnvironment, "production"},
		{event.FieldServiceNode, "im-1"},
		{event.FieldCloudZone, "cn-north-1a"},
		{event.FieldTraceID, "0af7651916cd43dd8448eb211c80319c"},
		{event.FieldSpanID, "b7ad6b7169203331"},
		{event.FieldParentID, "00f067aa0ba902b7"},
		{event.FieldClientIP, "192.0.2.33"},
		{event.FieldUserID, "u-123456"},
		{event.FieldDeviceID, "d-123456"},
		{event.FieldPlatform, "ios"},
		{event.FieldAppVersion, "8.1.2"},
		{event.FieldUserAgent, "im-client/8.1 (iPhone; iOS 19.1)"},
		{event.FieldConnID, "4BFCXQJ6QJ2Z5VYX7QK3B2ZQ5A"},
		{event.FieldSessionID, "C3QJ2Z5VYX7QK3B2ZQ5A4BFCXQ"},
		{event.FieldCloseReason, "peer_reset"},
		{event.FieldEventReason, "peer_reset"},
		{event.FieldCloseInitiator, "network"},
		{event.FieldCloseRetry, "resume"},
		{event.FieldClosePhase, "active"},
		{event.FieldErrorType, "reset"},
		{event.FieldErrorMessage, "read tcp 10.1.2.3:8080->192.0.2.33:51234: connection reset by peer"},
	} {
		ev.SetText(f.id, f.text)
	}
	for _, id := range []event.FieldID{
		event.FieldClientPort, event.FieldDestinationPort, event.FieldEventDuration, event.FieldCloseCode, event.FieldRxAge,
		event.FieldHeartbeatPongAge, event.FieldQueueBytes, event.FieldQueueAge, event.FieldMessageUnacked, event.FieldBytesIn,
		event.FieldBytesOut, event.FieldMessagesIn, event.FieldMessagesOut,
	} {
		ev.SetInt(id, 12_345)
	}
	ev.SetFloat(event.FieldHeartbeatRTT, 12.5)
	ev.SetBool(event.FieldCloseClean, false)
}

// BenchmarkLine is a disconnect line from its first field to the bytes for the file: through the queue and logrus with
// our formatter, and, to compare, the same fields through logrus with its own.
func BenchmarkLine(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		c := DefaultConfig()
		c.Path = ""
		l, err := Open(c, testDeps("19d1ab5c3f2a1b2"))
		if err != nil {
			b.Fatal(err)
		}
		var spare []queued
		var size int
		b.ReportAllocs()
		for b.Loop() {
			ev := l.Event()
			fillEnd(ev, time.Now())
			l.End(ev, "4BFCXQJ6QJ2Z5VYX7QK3B2ZQ5A")
			items, _ := l.queue.take(spare)
			l.format(items[0].ev)
			l.queue.recycle(items[0].ev)
			spare, size, l.buf = items, len(l.buf), l.buf[:0]
		}
		b.SetBytes(int64(size))
	})
	b.Run("logrus", func(b *testing.B) {
		logger := logrus.New()
		logger.SetOutput(io.Discard)
		logger.SetFormatter(new(logrus.JSONFormatter))
		var n int64
		b.ReportAllocs()
		for b.Loop() {
			var ev event.Event
			fillEnd(&ev, time.Now())
			ev.SetText(event.FieldEventID, fmt.Sprintf("im-1-19d1ab5c3f2a1b2-%010d", n))
			n++
			data := make(logrus.Fields, 64)
			for _, f := range event.Fields() {
				if ev.Has(f.ID) {
					data[f.Name] = ev.Text(f.ID)
				}
			}
			logger.WithTime(ev.Time()).WithFields(data).Warn(ev.Text(event.FieldMessage))
		}
	})
}

// BenchmarkFile is full disconnect lines from eight connections at once into a file, to the last byte, for each policy
// of fsync.
func BenchmarkFile(b *testing.B) {
	for _, policy := range []string{FsyncNone, FsyncInterval, FsyncAlways} {
		b.Run(policy, func(b *testing.B) {
			c := DefaultConfig()
			c.Path, c.Fsync = filepath.Join(b.TempDir(), "im-server.log"), policy
			l, err := Open(c, testDeps("b00t"))
			if err != nil {
				b.Fatal(err)
			}
			stop := runUntilStopped(b, l)
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ev := l.Event()
					fillEnd(ev, at)
					l.End(ev, "c")
				}
			})
			stop()
			b.StopTimer()
			if n := l.Dropped(); n != 0 {
				b.Fatalf("%d lines were dropped", n)
			}
		})
	}
}
