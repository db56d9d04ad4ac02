package imserver

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"imwatch/event"
)

// comeAndGo opens n connections that are served and go again.
func comeAndGo(f *fixture, n int) {
	f.t.Helper()
	for i := range n {
		c := f.dial(fmt.Sprintf("u-%d", i))
		c.send(`{"v":1,"type":"echo","id":"1","payload":{"body":1}}`)
		c.next()
		_ = c.Close()
	}
}

// TestFullDiskHurtsNoConnection: clients are served while the disk is full, and every line is there once it is not.
func TestFullDiskHurtsNoConnection(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Log.Stdout = true
	if err := os.Symlink("/dev/full", cfg.Log.Path); err != nil {
		t.Fatal(err)
	}
	f := serve(t, cfg, Deps{})
	comeAndGo(f, 50)
	if err := os.Remove(cfg.Log.Path); err != nil {
		t.Fatal(err)
	}
	f.ReopenLog()
	f.stop()
	if lost := endsOf(t, readLog(t, cfg.Log.Path)); lost != 0 {
		t.Errorf("%d connections are orphaned", lost)
	}
	if starts := countOf(readLog(t, cfg.Log.Path), event.ActionConnect); starts != 50 {
		t.Errorf("%d of 50 starts are in the log", starts)
	}
}

// TestSlowDiskHurtsNoConnection: nobody waits for a disk that takes nothing; what could not be kept is counted and told, and
// no connection has a half of its pair.
func TestSlowDiskHurtsNoConnection(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Log.Stdout, cfg.Log.Queue = false, 20
	if err := syscall.Mkfifo(cfg.Log.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: s, t: t}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	comeAndGo(f, 100) // some 250 KB of lines: more than a pipe and the queue take
	if f.Server.log.Dropped() == 0 {
		t.Error("nothing was dropped: the disk was not slow enough")
	}
	pipe, err := os.OpenFile(cfg.Log.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan []*event.Event)
	go func() { read <- untilStop(t, pipe) }()
	cancel()
	events := <-read
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	_ = pipe.Close()
	endsOf(t, events)
	var told bool
	for _, ev := range events {
		told = told || label(ev, "log_dropped") != ""
	}
	if !told {
		t.Error("connection_stats does not say what was dropped")
	}
}

// untilStop reads events up to server_stop.
func untilStop(t *testing.T, pipe *os.File) (events []*event.Event) {
	t.Helper()
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		ev := new(event.Event)
		if err := event.Decode(append([]byte(nil), lines.Bytes()...), ev); err != nil {
			t.Errorf("%s: %v", lines.Bytes(), err)
		}
		events = append(events, ev)
		if ev.Action() == event.ActionServerStop.Code {
			return events
		}
	}
	return events
}

func countOf(events []*event.Event, a event.Action) (n int) {
	for _, ev := range events {
		if ev.Action() == a.Code {
			n++
		}
	}
	return n
}
