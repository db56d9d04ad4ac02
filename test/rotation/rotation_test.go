package rotation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
	"imwatch/shipper"
)

const (
	lines     = "IMWATCH_TEST_ROTATION"     // how many a cell has
	directory = "IMWATCH_TEST_ROTATION_DIR" // makes this program the shipper of it
	perSecond = 10_000
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(directory); dir != "" {
		fmt.Fprintln(os.Stderr, ship(context.Background(), dir, false))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

func openBroker(ctx context.Context, dir string) (*embedded.Bus, error) {
	cfg := embedded.DefaultConfig()
	cfg.Dir, cfg.Sync, cfg.TopicBytes = filepath.Join(dir, "broker"), false, 2<<30
	b, err := embedded.Open(cfg, quiet(), nil)
	if err != nil {
		return nil, err
	}
	return b, b.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 4}, bus.TopicSpec{Name: bus.TopicDeadLetter, Partitions: 1})
}

func ship(ctx context.Context, dir string, toEnd bool) error {
	b, err := openBroker(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	cfg := shipper.DefaultConfig()
	cfg.Checkpoint, cfg.ExitAtEnd = filepath.Join(dir, "state", "checkpoint.json"), toEnd
	cfg.Sources = []shipper.Source{{Paths: []string{filepath.Join(dir, "app.log")}, Format: shipper.FormatContract}}
	s, err := shipper.New(cfg, shipper.Deps{Bus: b, Log: quiet()})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// Every line that was written is one document, in every cell.
func TestMatrix(t *testing.T) {
	text := os.Getenv(lines)
	if text == "" {
		t.Skip("set " + lines + " to the number of lines of a cell")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, not a number of lines", lines, text)
	}
	for _, c := range cells() {
		t.Run(c.name, func(t *testing.T) { run(t, c, n) })
	}
}

func run(t *testing.T, c cell, n int) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	kills := make(chan int, 1)
	go func() { kills <- keepAlive(ctx, t, dir, c.killed) }()
	rotations := write(t, dir, c, n)
	cancel()
	killed := <-kills
	if err := ship(t.Context(), dir, true); err != nil {
		t.Fatal(err)
	}
	r := count(t, dir)
	lost := n - r.documents
	t.Logf("%-32s %d lines, %d rotations, %d kills: %d lost, %d doubled documents, %d records twice, %d dead letters", c.name, n, rotations, killed, lost, r.doubled, r.again, r.letters)
	if lost != 0 || r.doubled != 0 || r.letters != 0 {
		t.Errorf("%s: %d lost, %d doubled, %d dead letters", c.name, lost, r.doubled, r.letters)
	}
}

// write writes n lines at the rate, and rotates each second.
func write(t *testing.T, dir string, c cell, n int) (rotations int) {
	t.Helper()
	l, err := openLog(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.f.Close() }()
	const piece = perSecond / 100
	tick := time.NewTicker(time.Second / 100)
	defer tick.Stop()
	buf := make([]byte, 0, 64<<10)
	last := time.Now()
	for i := 0; i < n; {
		<-tick.C
		buf = buf[:0]
		for end := min(n, i+piece); i < end; i++ {
			buf = append(line(i).AppendJSON(buf), '\n')
		}
		half := len(buf) / 2 // in the middle of a line, as a rule
		for _, b := range [][]byte{buf[:half], buf[half:]} {
			if _, err := l.f.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(last) >= time.Second {
			last = time.Now()
			if err := l.rotate(); err != nil {
				t.Fatal(err)
			}
			rotations++
		}
	}
	return rotations
}

func line(i int) *event.Event {
	var e event.Event
	e.Begin(event.ActionConnect, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(i)*time.Millisecond))
	e.SetText(event.FieldEventID, fmt.Sprintf("im-1-boot-%010d", i))
	e.SetText(event.FieldServiceNode, "im-1")
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", i%97))
	return &e
}

// keepAlive runs the shipper until ctx ends, kills it now and then if that is wished, and in any case at the end.
func keepAlive(ctx context.Context, t *testing.T, dir string, kill bool) (kills int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(len(t.Name()))))
	pause := func(least, most time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(least + time.Duration(rng.Int64N(int64(most-least)))):
		}
	}
	for ctx.Err() == nil {
		cmd := exec.Command(os.Args[0]) //nolint:noctx // this very program, killed below
		cmd.Env = append(os.Environ(), directory+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return kills
		}
		if kill {
			pause(300*time.Millisecond, 3*time.Second)
		} else {
			<-ctx.Done()
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed: that is its error
		kills++
		pause(10*time.Millisecond, 1500*time.Millisecond)
	}
	return kills
}

// result is what is in the broker.
type result struct {
	documents int // different ids
	doubled   int // events under ids that no line has
	again     int // records that are in the broker twice
	letters   int
}

func count(t *testing.T, dir string) result {
	t.Helper()
	b, err := openBroker(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	var r result
	ids := map[string]int{}
	each(t, b, bus.TopicLifecycle, func(m bus.Message) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.IsWatermark():
		case strings.HasPrefix(e.ID(), "im-1-boot-"):
			ids[e.ID()]++
		default: // a line is an event under another id too
			r.doubled++
		}
	})
	for _, n := range ids {
		r.again += n - 1
	}
	r.documents = len(ids)
	each(t, b, bus.TopicDeadLetter, func(bus.Message) { r.letters++ })
	return r
}

func each(t *testing.T, b bus.Bus, topic string, see func(bus.Message)) {
	t.Helper()
	ends, err := b.Ends(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	for _, end := range ends {
		left += end
	}
	c, err := b.Read(t.Context(), topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for left > 0 {
		ms, err := c.Fetch(t.Context(), 5000)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for _, m := range ms {
			see(m)
		}
		left -= int64(len(ms))
	}
}
