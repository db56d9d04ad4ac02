package backtest_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"imwatch/detector/backtest"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/rules"
)

// BenchmarkFile runs the shipped rules over lines of a usual size.
func BenchmarkFile(b *testing.B) {
	all, findings := rule.LoadFS(rules.Files())
	if rule.HasErrors(findings) {
		b.Fatal(findings)
	}
	const n = 100_000
	var file bytes.Buffer
	actions := event.Actions()
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for i := range n {
		var e event.Event
		e.Begin(actions[i%len(actions)], start.Add(time.Duration(i)*50*time.Microsecond))
		e.SetText(event.FieldEventID, fmt.Sprintf("im-1-0-%010d", i))
		e.SetText(event.FieldServiceName, "im-server")
		e.SetText(event.FieldServiceNode, fmt.Sprintf("im-%d", i%10))
		e.SetText(event.FieldClientIP, fmt.Sprintf("10.0.%d.%d", i>>8&255, i&255))
		e.SetText(event.FieldUserID, fmt.Sprintf("user-%d", i%5000))
		e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", i))
		e.SetText(event.FieldTraceID, "4bf92f3577b34da6a3ce929d0e0e4736")
		e.SetText(event.FieldMessage, "something happened to a connection, and this says what it was")
		file.Write(append(e.AppendJSON(nil), '\n'))
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := backtest.File(context.Background(), bytes.NewReader(file.Bytes()), "x", backtest.Options{Rules: all}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
}
