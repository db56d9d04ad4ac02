package desk

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func openStore(t *testing.T) store.Store {
	t.Helper()
	cfg := sqlite.DefaultConfig()
	cfg.Dir = t.TempDir()
	s, err := sqlite.Open(cfg, logrus.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newDesk(t *testing.T, s Store, c *clock, fixed ...*silence.Silence) *Desk {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	d, err := New(s, fixed, c.now, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func begin() *clock { return &clock{at: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)} }

var (
	ann = Who{"ann", "responder", "192.0.2.1"}
	bob = Who{"bob", "responder", "192.0.2.2"}
)

func alert(rule, severity string) *event.Alert {
	return &event.Alert{ID: "a-" + rule, RuleID: rule, RuleName: rule, State: event.StateFiring, Severity: severity, From: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
}

// TestSilenceCountsEverywhere: it counts at once where it was made, and elsewhere after the next look, until it ends.
func TestSilenceCountsEverywhere(t *testing.T) {
	t.Parallel()
	c, st := begin(), openStore(t)
	here, there := newDesk(t, st, c), newDesk(t, st, c)
	changes := 0
	here.OnChange(func() { changes++ })
	s, err := here.AddSilence(t.Context(), ann, silence.Silence{Match: []string{"rule = x"}, Reason: "upgrade", Until: c.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if s.ID == "" || s.Author != "ann" || !s.From.Equal(c.now()) || changes != 1 {
		t.Errorf("%+v after %d changes", s, changes)
	}
	if h, ok := here.Held(alert("x", "high")); !ok || h.Silence.ID != s.ID || !h.Until.Equal(s.Until) {
		t.Errorf("held: %+v, %v", h, ok)
	}
	if _, ok := here.Held(alert("y", "high")); ok {
		t.Error("another rule's alert is held")
	}
	if err := there.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(here.Silences(), there.Silences()); diff != "" {
		t.Errorf("-here +there\n%s", diff)
	}
	c.pass(time.Minute)
	if s, err = there.EndSilence(t.Context(), bob, s.ID); err != nil || s.EndedBy != "bob" || !s.Ended.Equal(c.now()) {
		t.Fatalf("%+v, %v", s, err)
	}
	if again, err := there.EndSilence(t.Context(), ann, s.ID); err != nil || again.EndedBy != "bob" {
		t.Errorf("ended twice: %+v, %v", again, err)
	}
	if err := here.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*Desk{"here": here, "there": there} {
		if _, ok := d.Held(alert("x", "high")); ok {
			t.Errorf("held %s after its end", name)
		}
	}
	c.pass(8 * 24 * time.Hour)
	if err := here.Load(t.Context()); err != nil || len(here.Silences()) != 0 {
		t.Errorf("%d silences are shown after a week, %v", len(here.Silences()), err)
	}
	var said []string
	entries, err := here.Audit(t.Context(), c.now().Add(-30*24*time.Hour), c.now())
	for _, e := range entries {
		said = append(said, e.By+" "+e.Action+" "+e.From)
	}
	if diff := cmp.Diff([]string{"ann silence_create 192.0.2.1", "bob silence_end 192.0.2.2"}, said); diff != "" || err != nil {
		t.Errorf("-want +got\n%s%v", diff, err)
	}
}

// TestAckCountsUntilItGetsWorse: and until its time is up, it is taken back, or the alert is over.
func TestAckCountsUntilItGetsWorse(t *testing.T) {
	t.Parallel()
	c, st := begin(), openStore(t)
	here, there := newDesk(t, st, c), newDesk(t, st, c)
	a := alert("x", "high")
	if _, err := here.Acknowledge(t.Context(), ann, a, time.Hour, "on it"); err != nil {
		t.Fatal(err)
	}
	if err := there.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	over := alert("x", "high")
	over.State = event.StateResolved
	for name, d := range map[string]*Desk{"here": here, "there": there} {
		if k, ok := d.Acked(a); !ok || k.By != "ann" || k.Note != "on it" {
			t.Errorf("%s: %+v, %v", name, k, ok)
		}
		if _, ok := d.Acked(alert("x", "critical")); ok {
			t.Errorf("%s: what got worse is put off", name)
		}
		if _, ok := d.Acked(over); ok {
			t.Errorf("%s: what is over is put off", name)
		}
	}
	if _, err := there.Acknowledge(t.Context(), bob, a, 2*time.Hour, ""); err != nil {
		t.Fatal(err)
	}
	if err := here.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.pass(90 * time.Minute)
	if k, ok := here.Acked(a); !ok || k.By != "bob" {
		t.Errorf("%+v, %v", k, ok)
	}
	if _, err := here.TakeBack(t.Context(), ann, a); err != nil {
		t.Fatal(err)
	}
	if _, ok := here.Acked(a); ok {
		t.Error("it counts after it was taken back")
	}
	if _, err := here.TakeBack(t.Context(), ann, a); !errors.Is(err, ErrUnknown) {
		t.Errorf("taken back twice: %v", err)
	}
	if _, err := here.Acknowledge(t.Context(), ann, a, time.Hour, ""); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	if _, ok := here.Acked(a); ok {
		t.Error("it counts after its time")
	}
}

// TestWhatIsFixedIsChangedInTheConfiguration.
func TestWhatIsFixedIsChangedInTheConfiguration(t *testing.T) {
	t.Parallel()
	c, st := begin(), openStore(t)
	night := &silence.Silence{ID: "nights", Match: []string{"severity = warn"}, Author: "ops", Reason: "nobody is there", Weekly: []silence.Weekly{{From: "22:00", Until: "06:00"}}}
	d := newDesk(t, st, c, night)
	if _, err := d.EndSilence(t.Context(), ann, "nights"); !errors.Is(err, ErrFixed) {
		t.Errorf("%v", err)
	}
	if _, err := d.EndSilence(t.Context(), ann, "nonsense"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	if _, ok := d.Held(alert("x", "warn")); ok {
		t.Error("held by day")
	}
	c.pass(12 * time.Hour)
	if h, ok := d.Held(alert("x", "warn")); !ok || h.Silence != night {
		t.Errorf("not held by night: %+v", h)
	}
	for want, s := range map[string]silence.Silence{
		"match: found 0":  {Reason: "x", Until: c.now().Add(time.Hour)},
		"reason: found 0": {Match: []string{"rule = x"}, Until: c.now().Add(time.Hour)},
		"until: needed":   {Match: []string{"rule = x"}, Reason: "x"},
	} {
		if _, err := d.AddSilence(t.Context(), ann, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, length := range []time.Duration{0, -time.Hour, MaxAck + 1} {
		if _, err := d.Acknowledge(t.Context(), ann, alert("x", "warn"), length, ""); err == nil {
			t.Errorf("acknowledged for %v", length)
		}
	}
}

// meddling is a store in which something happens between the reads of a Load.
type meddling struct {
	Store
	between func()
}

func (m *meddling) Refresh(ctx context.Context, pattern string) error {
	err := m.Store.Refresh(ctx, pattern)
	if pattern == Indices && m.between != nil {
		f := m.between
		m.between = nil
		f()
	}
	return err
}

// TestLoadForgetsNothing: what is said while the store is read counts afterwards, though it was not in what was read.
func TestLoadForgetsNothing(t *testing.T) {
	t.Parallel()
	c := begin()
	m := &meddling{Store: openStore(t)}
	d := newDesk(t, m, c)
	m.between = func() {
		if _, err := d.AddSilence(t.Context(), ann, silence.Silence{Match: []string{"rule = x"}, Reason: "x", Until: c.now().Add(time.Hour)}); err != nil {
			t.Error(err)
		}
		if _, err := d.Acknowledge(t.Context(), ann, alert("x", "high"), time.Hour, ""); err != nil {
			t.Error(err)
		}
	}
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Held(alert("x", "high")); !ok {
		t.Error("the silence is forgotten")
	}
	if _, ok := d.Acked(alert("x", "high")); !ok {
		t.Error("the acknowledgement is forgotten")
	}
}
