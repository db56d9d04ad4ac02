package shipper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		os.Exit(child(address))
	}
	goleak.VerifyTestMain(m)
}

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

func newBus(tb testing.TB) *membus.Bus {
	tb.Helper()
	b := membus.New()
	tb.Cleanup(func() { _ = b.Close() })
	err := b.EnsureTopics(tb.Context(),
		bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 3}, bus.TopicSpec{Name: bus.TopicDeadLetter, Partitions: 1})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// line is a contract line of a node with a sequence number.
func line(node string, n int, at time.Time) string {
	var e event.Event
	e.Begin(event.ActionConnect, at)
	e.SetText(event.FieldEventID, fmt.Sprintf("%s-boot-%010d", node, n))
	e.SetText(event.FieldServiceNode, node)
	e.SetText(event.FieldServiceName, "im-server")
	e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%7))
	return string(e.AppendJSON(nil))
}

// all reads what a topic holds.
func all(tb testing.TB, b bus.Bus, topic string) []bus.Message {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends, err := b.Ends(ctx, topic)
	if err != nil {
		tb.Fatal(err)
	}
	want := int64(0)
	for _, end := range ends {
		want += end
	}
	c, err := b.Read(ctx, topic, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var ms []bus.Message
	for int64(len(ms)) < want {
		got, err := c.Fetch(ctx, 1000)
		if err != nil {
			tb.Fatal(err)
		}
		ms = append(ms, got...)
	}
	return ms
}

// shipped splits what is in im.lifecycle into events and the watermarks of each node.
func shipped(tb testing.TB, b bus.Bus) (ids map[string]int, keys map[string][]string, marks map[string]time.Time) {
	tb.Helper()
	ids, keys, marks = map[string]int{}, map[string][]string{}, map[string]time.Time{}
	for _, m := range all(tb, b, bus.TopicLifecycle) {
		var e event.Event
		if err := event.Decode(m.Value, &e); err != nil {
			tb.Fatalf("%v in %s", err, m.Value)
		}
		if e.IsWatermark() {
			v, _ := e.Get(event.FieldPipelineShippedUntil)
			if v.Time().After(marks[e.Node()]) {
				marks[e.Node()] = v.Time()
			}
			continue
		}
		ids[e.ID()]++
		if ids[e.ID()] == 1 {
			keys[string(m.Key)] = append(keys[string(m.Key)], e.ID())
		}
	}
	return ids, keys, marks
}

type letter struct {
	ID, Stage, Reason, Detail, File, Original, Encoding string
	Offset                                              int64
	Part                                                int
}

func letters(tb testing.TB, b bus.Bus) []letter {
	tb.Helper()
	var out []letter
	for _, m := range all(tb, b, bus.TopicDeadLetter) {
		var l letter
		if err := json.Unmarshal(m.Value, &l); err != nil {
			tb.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func config(dir string, paths ...string) Config {
	cfg := DefaultConfig()
	cfg.Checkpoint = dir + "/state/checkpoint.json"
	cfg.Sources = []Source{{Paths: paths, Format: FormatContract, Service: "im-server", Node: "unnamed"}}
	return cfg
}

// start runs a shipper; stop ends it and waits.
func start(tb testing.TB, cfg Config, p Bus) (stop func()) {
	tb.Helper()
	s, err := New(cfg, Deps{Bus: p, Log: quiet(), Files: unsynced{}})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				tb.Error(err)
			}
		})
	}
	tb.Cleanup(stop)
	return stop
}

// once ships what is there and ends.
func once(tb testing.TB, cfg Config, p Bus) {
	tb.Helper()
	cfg.ExitAtEnd = true
	s, err := New(cfg, Deps{Bus: p, Log: quiet(), Files: unsynced{}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Run(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func appendTo(tb testing.TB, path, text string) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// eventually waits until ok, which is asked again and again.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("waited in vain: %s", what)
		}
	}
}

// flaky is a bus that fails at random, before or after having written.
type flaky struct {
	Bus
	mu  sync.Mutex
	rng *rand.Rand
}

var errFlaky = errors.New("the broker is away")

// fails says whether to fail, and whether it is done all the same.
func (f *flaky) fails() (fail, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what := f.rng.IntN(4)
	return what < 2, what > 0
}

func (f *flaky) ProduceSealed(ctx context.Context, topic string, partition int, as bus.Stamp, sealed []byte) error {
	fail, done := f.fails()
	if done {
		if err := f.Bus.ProduceSealed(ctx, topic, partition, as, sealed); err != nil {
			return err
		}
	}
	if fail {
		return errFlaky
	}
	return nil
}

func (f *flaky) Identify(ctx context.Context) (bus.Identity, error) {
	if fail, _ := f.fails(); fail {
		return bus.Identity{}, errFlaky
	}
	return f.Bus.Identify(ctx)
}

func (f *flaky) Broadcast(ctx context.Context, topic string, m bus.Message) error {
	if fail, _ := f.fails(); fail {
		return errFlaky
	}
	return f.Bus.Broadcast(ctx, topic, m)
}
