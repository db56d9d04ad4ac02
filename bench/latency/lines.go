package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"imwatch/event"
)

const (
	tick         = 20 * time.Millisecond  // how often lines are written
	triggerEvery = 250 * time.Millisecond // how often one of them is to be told
)

// writer writes the log of a busy server.
type writer struct {
	path string
	rate int

	seq      int
	written  int
	triggers map[string]time.Time // by user, when their line was written
	began    time.Time
	behind   time.Duration // by how much writing fell behind its plan, at most
}

// write writes lines for a span.
func (w *writer) write(ctx context.Context, span time.Duration) error {
	f, err := os.Create(w.path) //nolint:gosec // a file of the bench
	if err != nil {
		return err
	}
	defer f.Close()
	w.triggers = map[string]time.Time{}
	t := time.NewTicker(tick)
	defer t.Stop()
	var buf []byte
	began := time.Now()
	w.began = began
	next := began.Add(triggerEvery)
	for time.Since(began) < span {
		now := time.Now()
		due := int(float64(w.rate) * now.Sub(began).Seconds())
		w.behind = max(w.behind, time.Duration(float64(due-w.written)/float64(w.rate)*float64(time.Second)))
		for buf = buf[:0]; w.written < due && len(buf) < 4<<20; w.written++ {
			buf = w.line(buf, now, "")
		}
		if now.After(next) {
			next = next.Add(triggerEvery)
			user := fmt.Sprintf("trigger-%d", len(w.triggers))
			w.triggers[user] = now
			buf = w.line(buf, now, user)
		}
		if _, err := f.Write(buf); err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// line appends one line; that of a trigger has its user.
func (w *writer) line(dst []byte, at time.Time, trigger string) []byte {
	actions := []event.Action{event.ActionConnect, event.ActionDisconnect, event.ActionResume, event.ActionHTTPRequest}
	w.seq++
	var e event.Event
	e.Begin(actions[w.seq%len(actions)], at)
	e.SetText(event.FieldEventID, fmt.Sprintf("im-1-bench-%010d", w.seq))
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldServiceNode, "im-1")
	e.SetText(event.FieldClientIP, fmt.Sprintf("10.%d.%d.%d", w.seq>>16&255, w.seq>>8&255, w.seq&255))
	e.SetText(event.FieldUserID, fmt.Sprintf("user-%d", w.seq%50_000))
	e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", w.seq))
	e.SetText(event.FieldTraceID, "4bf92f3577b34da6a3ce929d0e0e4736")
	e.SetText(event.FieldURLPath, "/ws/connect")
	e.SetInt(event.FieldEventDuration, 90e9)
	if trigger != "" {
		e.SetText(event.FieldUserID, trigger)
		e.SetLabel("bench", "trigger")
	}
	return append(e.AppendJSON(dst), '\n')
}
