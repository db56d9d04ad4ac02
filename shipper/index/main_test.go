package index

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// shelf is a store in memory that can fail at random: as a whole, before or after having kept a part, or for some of
// the documents.
type shelf struct {
	mu       sync.Mutex
	docs     map[string]string // by index/id
	rng      *rand.Rand        // nil: it never fails
	down     bool
	calls    int
	refusing string // documents with this in their body are refused
}

func newShelf(seed uint64) *shelf {
	s := &shelf{docs: map[string]string{}}
	if seed != 0 {
		s.rng = rand.New(rand.NewPCG(seed, 0))
	}
	return s
}

func (s *shelf) Put(ctx context.Context, docs ...store.Doc) ([]store.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.down || s.chance(3) {
		if !s.down && s.chance(2) {
			s.keep(docs[:s.rng.IntN(len(docs)+1)])
		}
		return nil, fmt.Errorf("putting: %w", store.ErrUnavailable)
	}
	results := make([]store.Result, len(docs))
	for i, d := range docs {
		_, there := s.docs[d.Index+"/"+d.ID]
		switch {
		case s.refusing != "" && strings.Contains(string(d.Body), s.refusing):
			results[i] = store.Result{Outcome: store.Rejected, Reason: "mapping: will not do"}
		case s.chance(3):
			results[i] = store.Result{Outcome: store.Retry, Reason: "queue is full"}
		case there:
			results[i] = store.Result{Outcome: store.Existed}
		default:
			s.keep(docs[i : i+1])
		}
	}
	return results, nil
}

func (s *shelf) chance(n int) bool { return s.rng != nil && s.rng.IntN(n) == 0 }

func (s *shelf) keep(docs []store.Doc) {
	for _, d := range docs {
		if _, there := s.docs[d.Index+"/"+d.ID]; !there && (s.refusing == "" || !strings.Contains(string(d.Body), s.refusing)) {
			s.docs[d.Index+"/"+d.ID] = string(d.Body)
		}
	}
}

func (s *shelf) Swap(context.Context, store.Doc, string) (string, error) { panic("not used") }
func (s *shelf) Refresh(context.Context, string) error                   { panic("not used") }

func (s *shelf) snapshot() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.docs)
}

func (s *shelf) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
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

func produce(tb testing.TB, b bus.Bus, topic string, values ...string) {
	tb.Helper()
	for i, v := range values {
		if err := b.Produce(tb.Context(), topic, bus.Message{Key: fmt.Appendf(nil, "k%d", i%7), Value: []byte(v)}); err != nil {
			tb.Fatal(err)
		}
	}
}

func line(n int, at time.Time, level string) string {
	var e event.Event
	e.Begin(event.ActionConnect, at)
	e.SetText(event.FieldEventID, fmt.Sprintf("im-1-b-%010d", n))
	e.SetText(event.FieldLogLevel, level)
	return string(e.AppendJSON(nil))
}

func start(tb testing.TB, cfg Config, b Source, s store.Writer) (stop func()) {
	tb.Helper()
	x, err := New(cfg, Deps{Bus: b, Store: s, Log: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
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

// caughtUp says whether the group has committed everything.
func caughtUp(tb testing.TB, b bus.Bus, group string) bool {
	tb.Helper()
	for _, topic := range []string{bus.TopicLifecycle, bus.TopicDeadLetter} {
		ends, err := b.Ends(tb.Context(), topic)
		if err != nil {
			tb.Fatal(err)
		}
		committed, err := b.Committed(tb.Context(), group, topic)
		if err != nil {
			tb.Fatal(err)
		}
		for p, end := range ends {
			if committed[p] != end {
				return false
			}
		}
	}
	return true
}

func eventually(tb testing.TB, ok func() bool) {
	tb.Helper()
	deadline := time.After(5 * time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatal("waited in vain")
		}
	}
}
