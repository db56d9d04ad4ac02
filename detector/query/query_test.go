package query_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"imwatch/detector/engine"
	"imwatch/detector/query"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var base = time.Date(2026, 11, 21, 23, 59, 30, 0, time.UTC) // events cross midnight: two days of indices

type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

func open(t fatal, dir string) *sqlite.Store {
	t.Helper()
	cfg := sqlite.DefaultConfig()
	cfg.Dir = dir
	log := logrus.New()
	log.SetLevel(logrus.ErrorLevel)
	s, err := sqlite.Open(cfg, log, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func put(t fatal, s store.Writer, events ...*event.Event) {
	t.Helper()
	var docs []store.Doc
	for _, e := range events {
		docs = append(docs, store.Doc{Index: e.Index(), ID: e.ID(), Body: e.AppendJSON(nil)})
	}
	results, err := s.Put(context.Background(), docs...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, r := range results {
		if r.Outcome != store.Stored {
			t.Fatalf("%v", r)
		}
	}
}

func lines(t fatal, alerts []*event.Alert) string {
	t.Helper()
	var b strings.Builder
	for _, a := range alerts {
		l, err := a.MarshalJSON()
		if err != nil {
			t.Fatalf("%v", err)
		}
		b.Write(append(l, '\n'))
	}
	return b.String()
}

// streamed evaluates events as the stream does.
func streamed(t fatal, r *rule.Rule, events []*event.Event, end time.Time) []*event.Alert {
	t.Helper()
	e, err := engine.New([]*rule.Rule{r}, engine.Options{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var alerts []*event.Alert
	for _, ev := range events {
		e.Observe(0, ev, 0)
		alerts = append(alerts, e.Advance()...)
	}
	return append(alerts, e.Finish(end.UnixNano())...)
}

// flaky is a store that fails now and then.
type flaky struct {
	store.Reader
	fails func() bool
}

var errAway = fmt.Errorf("the store is away: %w", store.ErrUnavailable)

func (f flaky) Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error] {
	return func(yield func(store.Hit, error) bool) {
		for h, err := range f.Reader.Search(ctx, q) {
			if f.fails() {
				yield(h, errAway)
				return
			}
			if !yield(h, err) {
				return
			}
		}
	}
}

func (f flaky) Aggregate(ctx context.Context, q store.Query, by []filter.Field, interval time.Duration) iter.Seq2[store.Bucket, error] {
	return func(yield func(store.Bucket, error) bool) {
		for b, err := range f.Reader.Aggregate(ctx, q, by, interval) {
			if f.fails() {
				yield(b, errAway)
				return
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// TestQueryIsTheStream holds the two evaluators to the same lines, whatever the runs are and whatever fails.
func TestQueryIsTheStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		s := open(t, fmt.Sprintf("%s/%d", dir, n))
		defer s.Close()
		checkQueryIsTheStream(t, s, drawRule(t), drawEvents(t))
	})
}

func checkQueryIsTheStream(t *rapid.T, s *sqlite.Store, r *rule.Rule, events []*event.Event) {
	put(t, s, events...)
	failing := rapid.Bool().Draw(t, "failing")
	reader := flaky{s, func() bool { return failing && rapid.IntRange(0, 30).Draw(t, "fails") == 0 }}
	o := query.Options{From: base, Most: rapid.SampledFrom([]int{0, 1, 7}).Draw(t, "most")}
	q, err := query.New(r, reader, o)
	if err != nil {
		t.Fatal(err)
	}
	end := base.Add(4 * time.Minute)
	var got []*event.Alert
	for until := base; until.Before(end); {
		until = until.Add(drawRun(t))
		if until.After(end) {
			until = end
		}
		alerts, _, err := q.Run(context.Background(), until, until)
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
		got = append(got, alerts...)
		if rapid.Bool().Draw(t, "restart") {
			if q, err = query.Restore(r, reader, o, q.Progress()); err != nil {
				t.Fatal(err)
			}
		}
	}
	failing = false
	alerts, _, err := q.Run(context.Background(), end, end)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, alerts...)
	slices.SortStableFunc(got, engine.Order)
	want := streamed(t, r, events, end)
	slices.SortStableFunc(want, engine.Order)
	if diff := cmp.Diff(lines(t, want), lines(t, got)); diff != "" {
		t.Fatalf("stream (-) and query (+) differ:\n%s", diff)
	}
}

const three = `
id: r
title: three in ten seconds
severity: warn
where: 'event.action: connect'
group_by: [user.id]
detect: {threshold: {count: "> 2", window: 10s}}
resolve: {after: 5s}
`

// connect makes a document of a connect at some second after base, that arrived at another.
func connect(second, arrived int, user string) *event.Event {
	e := newEvent(event.ActionConnect, base.Add(time.Duration(second)*time.Second), fmt.Sprintf("%s-%03d", user, second))
	e.SetText(event.FieldUserID, user)
	e.SetTime(event.FieldEventIngested, base.Add(time.Duration(arrived)*time.Second))
	return e
}

func brief(alerts []*event.Alert) []string {
	var all []string
	for _, a := range alerts {
		all = append(all, fmt.Sprintf("%v %s %s %v from %v", a.Time.Sub(base), a.State, a.KeyString(), a.Value, a.From.Sub(base)))
	}
	return all
}

func TestLateDocuments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, late []*event.Event // before and after the first run, which ends at 60 s
		want        [2][]string    // alerts of the run to 60 s and of the one to 120 s
	}{
		"one that completes a window": {
			[]*event.Event{connect(20, 21, "u1"), connect(22, 23, "u1")},
			[]*event.Event{connect(24, 90, "u1")},
			[2][]string{nil, {"24s firing user.id=u1 3 from 24s", "35s resolved user.id=u1 0 from 24s"}},
		},
		"one that belongs to an alert already told makes no second": {
			[]*event.Event{connect(20, 21, "u1"), connect(22, 23, "u1"), connect(24, 25, "u1")},
			[]*event.Event{connect(21, 90, "u1")},
			[2][]string{{"24s firing user.id=u1 3 from 24s", "35s resolved user.id=u1 0 from 24s"}, nil},
		},
		"one that keeps an alert going is told under its name": {
			[]*event.Event{connect(52, 53, "u1"), connect(54, 55, "u1"), connect(56, 57, "u1"), connect(65, 66, "u1")},
			[]*event.Event{connect(53, 90, "u1")},
			[2][]string{{"56s firing user.id=u1 3 from 56s"}, {"1m8s resolved user.id=u1 1 from 56s"}},
		},
		"one that shows that what is told to be over goes on is told anew, for nothing comes after resolved": {
			[]*event.Event{connect(42, 43, "u1"), connect(43, 44, "u1"), connect(44, 45, "u1"), connect(54, 55, "u1"), connect(56, 57, "u1")},
			[]*event.Event{connect(50, 90, "u1"), connect(51, 90, "u1"), connect(57, 90, "u1"), connect(59, 90, "u1")},
			[2][]string{
				{"44s firing user.id=u1 3 from 44s", "57s resolved user.id=u1 2 from 44s"},
				{"57s firing user.id=u1 6 from 57s", "1m11s resolved user.id=u1 0 from 57s"},
			},
		},
		"one of another key changes nothing for this": {
			[]*event.Event{connect(20, 21, "u1"), connect(22, 23, "u1"), connect(24, 25, "u1")},
			[]*event.Event{connect(21, 90, "u2")},
			[2][]string{{"24s firing user.id=u1 3 from 24s", "35s resolved user.id=u1 0 from 24s"}, nil},
		},
		"one older than the look-back is not found": {
			nil,
			[]*event.Event{connect(-3600, 90, "u1"), connect(-3601, 90, "u1"), connect(-3602, 90, "u1")},
			[2][]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			defer s.Close()
			r := parse(t, three)
			q, err := query.New(r, s, query.Options{From: base.Add(-2 * time.Hour), LookBack: 30 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			for i, docs := range [][]*event.Event{c.first, c.late} {
				if len(docs) > 0 {
					put(t, s, docs...)
				}
				until := base.Add(time.Duration(i+1) * time.Minute)
				alerts, _, err := q.Run(ctx, until, until.Add(10*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want[i], brief(alerts)); diff != "" {
					t.Errorf("run %d differs (-want +got):\n%s", i, diff)
				}
				if q, err = query.Restore(r, s, query.Options{LookBack: 30 * time.Minute}, q.Progress()); err != nil {
					t.Fatal(err)
				}
			}
			again, _, err := q.Run(ctx, base.Add(3*time.Minute), base.Add(3*time.Minute))
			if err != nil || len(again) > 0 {
				t.Errorf("a third run gave %v, %v", brief(again), err)
			}
		})
	}
}

// TestLateDocumentThatTakesBack: an event that arrives late shows that what was told is nothing.
func TestLateDocumentThatTakesBack(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer s.Close()
	put(t, s, connect(20, 21, "u1"), connect(22, 23, "u1"), connect(24, 25, "u1"))
	q, err := query.New(parse(t, `
id: r
title: three in a row
severity: warn
where: 'event.action: connect'
group_by: [user.id]
detect: {consecutive: {count: 3, reset: 'event.action: disconnect', max_gap: 10m}}
`), s, query.Options{From: base.Add(-time.Hour), LookBack: 30 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	end := newEvent(event.ActionDisconnect, base.Add(23*time.Second), "end")
	end.SetText(event.FieldUserID, "u1")
	end.SetTime(event.FieldEventIngested, base.Add(90*time.Second))
	for i, want := range [][]string{
		{"24s firing user.id=u1 3 from 24s"}, {"1m0s resolved user.id=u1 3 from 24s"}, nil,
	} {
		until := base.Add(time.Duration(i+1) * time.Minute)
		alerts, _, err := q.Run(context.Background(), until, until.Add(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, brief(alerts)); diff != "" {
			t.Errorf("run %d differs (-want +got):\n%s", i, diff)
		}
		if i == 0 {
			put(t, s, end)
		}
	}
}

// TestLateDocumentOfALongAlert: an alert is open for longer than is looked back when a document arrives late.
func TestLateDocumentOfALongAlert(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		weight float64 // of the late document
		want   []string
		start  string // of what is open in the end
	}{
		"it goes on": {1, nil, "2s"},
		"it ended":   {-20, []string{"4m55s resolved user.id=u1 -10 from 2s", "5m0s firing user.id=u1 10 from 5m0s"}, "5m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			defer s.Close()
			docs := make([]*event.Event, 601)
			for i := range docs {
				docs[i] = connect(i, i, "u1")
			}
			put(t, s, docs...)
			q, err := query.New(parse(t, three), s, query.Options{From: base, LookBack: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			late := connect(290, 310, "u1")
			late.SetText(event.FieldEventID, "late")
			late.SetFloat(event.FieldSampleWeight, c.weight)
			for i, want := range [][]string{
				{"2s firing user.id=u1 3 from 2s", "5s updated user.id=u1 6 from 2s"}, c.want, {"10m13s resolved user.id=u1 0 from " + c.start},
			} {
				until := base.Add(time.Duration(i+1) * 295 * time.Second)
				alerts, _, err := q.Run(context.Background(), until, until)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, brief(alerts)); diff != "" {
					t.Errorf("run %d differs (-want +got):\n%s", i, diff)
				}
				if i == 0 {
					put(t, s, late)
				}
			}
		})
	}
}

// TestLateEndOfALongAlert: what ends an alert arrives late; it was open for longer than is looked back, and still since.
func TestLateEndOfALongAlert(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer s.Close()
	put(t, s, connect(20, 21, "u1"), connect(22, 23, "u1"), connect(24, 25, "u1"))
	r := parse(t, strings.ReplaceAll(three, `threshold: {count: "> 2", window: 10s}`, `consecutive: {count: 3, reset: 'event.action: disconnect', max_gap: 1h}`))
	q, err := query.New(r, s, query.Options{From: base, LookBack: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	end := newEvent(event.ActionDisconnect, base.Add(290*time.Second), "end")
	end.SetText(event.FieldUserID, "u1")
	end.SetTime(event.FieldEventIngested, base.Add(310*time.Second))
	for i, want := range [][]string{{"24s firing user.id=u1 3 from 24s"}, {"4m55s resolved user.id=u1 0 from 24s"}, nil} {
		until := base.Add(time.Duration(i+1) * 300 * time.Second)
		alerts, _, err := q.Run(context.Background(), until, until)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, brief(alerts)); diff != "" {
			t.Errorf("run %d differs (-want +got):\n%s", i, diff)
		}
		if i == 0 {
			put(t, s, end)
		}
	}
}

func TestOnlyCandidatesAreFetched(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer s.Close()
	var docs []*event.Event
	for i := range 300 { // one-time keys, and one that fires
		docs = append(docs, connect(i, i, fmt.Sprintf("once%03d", i)))
	}
	docs = append(docs, connect(100, 100, "u1"), connect(101, 101, "u1"), connect(102, 102, "u1"))
	put(t, s, docs...)
	q, err := query.New(parse(t, three), s, query.Options{From: base})
	if err != nil {
		t.Fatal(err)
	}
	alerts, cost, err := q.Run(context.Background(), base.Add(10*time.Minute), base.Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if want := (query.Cost{Keys: 301, Candidates: 1, Events: 3}); cost != want || len(alerts) != 2 {
		t.Errorf("cost %+v and alerts %v, expected %+v and 2 alerts", cost, brief(alerts), want)
	}
}

// TestNegativeWeightsMoveAnAverage: an average can lie where none of the values does when some count less than nothing.
func TestNegativeWeightsMoveAnAverage(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer s.Close()
	a, b := connect(1, 1, "u1"), connect(2, 2, "u1")
	a.SetFloat(event.FieldHeartbeatRTT, 1)
	a.SetFloat(event.FieldSampleWeight, 2)
	b.SetFloat(event.FieldHeartbeatRTT, 5)
	b.SetFloat(event.FieldSampleWeight, -1)
	put(t, s, a, b)
	r := parse(t, strings.ReplaceAll(three, `threshold: {count: "> 2", window: 10s}`, `metric: {field: im.heartbeat.rtt_ms, agg: avg, is: "< -2", window: 10s}`))
	q, err := query.New(r, s, query.Options{From: base})
	if err != nil {
		t.Fatal(err)
	}
	end := base.Add(time.Minute)
	alerts, _, err := q.Run(context.Background(), end, end)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(brief(streamed(t, r, []*event.Event{a, b}, end)), brief(alerts)); diff != "" || len(alerts) != 2 {
		t.Errorf("stream (-) and query (+) differ, or do not tell of an average of -3:\n%s", diff)
	}
}

// TestKeysThatAreJustEnough: what decides lies as far apart as it may, some of it in a run before.
func TestKeysThatAreJustEnough(t *testing.T) {
	t.Parallel()
	for detect, at := range map[string][]int{
		`consecutive: {count: 4, max_gap: 10s}`:                                                    {1, 11, 21, 31},
		`threshold: {count: "> 2", window: 10s}`:                                                   {1, 2, 10},
		`sequence: {within: 10s, steps: [{where: 'user.id: *', times: 2}, {where: 'user.id: *'}]}`: {1, 2, 11},
		`metric: {field: client.port, agg: sum, is: ">= 3", window: 10s}`:                          {1, 2, 10},
	} {
		for seen := range at {
			t.Run(fmt.Sprintf("%s, %d seen", detect, seen), func(t *testing.T) {
				t.Parallel()
				s := open(t, t.TempDir())
				defer s.Close()
				var docs []*event.Event
				for _, second := range at {
					e := connect(second, second, "u1")
					e.SetInt(event.FieldClientPort, 1)
					docs = append(docs, e)
				}
				put(t, s, docs...)
				r := parse(t, strings.ReplaceAll(three, `threshold: {count: "> 2", window: 10s}`, detect))
				q, err := query.New(r, s, query.Options{From: base})
				if err != nil {
					t.Fatal(err)
				}
				end := base.Add(time.Hour)
				var got []*event.Alert
				for _, until := range []time.Time{docs[seen].Time().Add(-1), end} {
					alerts, _, err := q.Run(context.Background(), until, until)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, alerts...)
				}
				want := streamed(t, r, docs, end)
				if diff := cmp.Diff(lines(t, want), lines(t, got)); diff != "" || len(want) != 2 {
					t.Errorf("stream (-) and query (+) differ, or do not fire:\n%s", diff)
				}
			})
		}
	}
}

func TestProgressOfAnotherRuleIsRefused(t *testing.T) {
	t.Parallel()
	r := parse(t, three)
	q, err := query.New(r, nil, query.Options{From: base})
	if err != nil {
		t.Fatal(err)
	}
	b := q.Progress()
	changed := parse(t, strings.ReplaceAll(three, "> 2", "> 3"))
	if _, err := query.Restore(changed, nil, query.Options{}, b); !errors.Is(err, query.ErrProgress) {
		t.Errorf("found %v, expected ErrProgress for a rule that decides otherwise", err)
	}
	b[len(b)/2] ^= 1
	if _, err := query.Restore(r, nil, query.Options{}, b); !errors.Is(err, query.ErrProgress) {
		t.Errorf("found %v, expected ErrProgress for a damaged byte", err)
	}
}
