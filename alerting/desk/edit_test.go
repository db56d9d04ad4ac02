package desk

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"imwatch/alerting/silence"
)

// TestExtendedByMany: extensions by several people at several desks all count, none twice, and each stands in the audit.
func TestExtendedByMany(t *testing.T) {
	t.Parallel()
	c, st := begin(), openStore(t)
	desks := []*Desk{newDesk(t, st, c), newDesk(t, st, c), newDesk(t, st, c)}
	s, err := desks[0].AddSilence(t.Context(), ann, silence.Silence{Match: []string{"rule = x"}, Reason: "upgrade", Until: c.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	const each = 4
	var wg sync.WaitGroup
	for _, d := range desks {
		wg.Go(func() {
			for range each {
				if _, err := d.Extend(t.Context(), bob, s.ID, time.Minute, time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := desks[0].Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := c.now().Add(time.Hour + time.Duration(each*len(desks))*time.Minute)
	if got := desks[0].Silences()[0]; !got.Until.Equal(want) || got.EditedBy != "bob" {
		t.Errorf("%+v, want an end at %v", got, want)
	}
	audit, err := desks[0].Audit(t.Context(), c.now().Add(-time.Hour), c.now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, e := range audit {
		if _, to, ok := strings.Cut(e.Detail, " → "); ok {
			said[to] = true
		}
	}
	if len(said) != each*len(desks) { // attempts that somebody forestalled may stand there too
		t.Errorf("the audit has %d ends: %+v", len(said), audit)
	}
}

// TestWhatCannotBeEdited is left as it is, and nothing stands in the audit.
func TestWhatCannotBeEdited(t *testing.T) {
	t.Parallel()
	c, st := begin(), openStore(t)
	d := newDesk(t, st, c, &silence.Silence{ID: "fixed", Match: []string{"rule = y"}, Author: "ops", Reason: "x", Weekly: []silence.Weekly{{From: "01:00", Until: "02:00"}}})
	s, err := d.AddSilence(t.Context(), ann, silence.Silence{Match: []string{"rule = x"}, Reason: "upgrade", Until: c.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		id   string
		edit func(*silence.Silence) error
		want string
	}{
		"configured": {"fixed", nil, ErrFixed.Error()},
		"unknown":    {"nobody", nil, ErrUnknown.Error()},
		"faulty":     {s.ID, func(s *silence.Silence) error { s.Match = nil; return nil }, "match: found 0"},
		"its from":   {s.ID, func(s *silence.Silence) error { s.From = s.From.Add(time.Minute); return nil }, "from: it began"},
		"refused":    {s.ID, func(*silence.Silence) error { return errors.New("no") }, "no"},
		"unchanged":  {s.ID, func(s *silence.Silence) error { s.ID, s.Ended, s.EndedBy = "x", c.now(), "me"; return nil }, ""},
	} {
		_, err := d.EditSilence(t.Context(), bob, tt.id, tt.edit)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	c.pass(2 * time.Hour)
	if _, err := d.Extend(t.Context(), bob, s.ID, time.Hour, time.Time{}); !errors.Is(err, ErrOver) {
		t.Errorf("over: %v", err)
	}
	audit, err := d.Audit(t.Context(), c.now().Add(-5*time.Hour), c.now().Add(time.Hour))
	if err != nil || len(audit) != 1 || audit[0].Action != "silence_create" {
		t.Errorf("%+v, %v", audit, err)
	}
}

// TestWindowIsCountedOnce: what the first counted counts.
func TestWindowIsCountedOnce(t *testing.T) {
	t.Parallel()
	c, st := begin(), openStore(t)
	here, there := newDesk(t, st, c), newDesk(t, st, c)
	w := Window{Silence: "s", From: c.now().Add(-time.Hour), Until: c.now(), At: c.now()}
	if known, err := here.Settled(t.Context(), w); known != nil || err != nil {
		t.Fatalf("%+v, %v", known, err)
	}
	first, second := w, w
	first.Held, first.Firing, second.Held = 5, 2, 6
	for _, try := range []struct {
		desk *Desk
		w    Window
	}{{here, first}, {there, second}, {here, second}} {
		if got, err := try.desk.Settle(t.Context(), try.w); err != nil || got.Held != 5 || got.Firing != 2 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	other := w
	other.Until = w.Until.Add(24 * time.Hour)
	if known, err := there.Settled(t.Context(), other); known != nil || err != nil {
		t.Errorf("another week: %+v, %v", known, err)
	}
}
