package flap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/flap"
	"imwatch/event"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

func config() flap.Config { return flap.Config{Fires: 3, Within: time.Hour, Calm: 30 * time.Minute} }

func firing(minute int, severity string) *event.Alert {
	return &event.Alert{
		ID: fmt.Sprint("a-", minute), RuleID: "rule", Status: "enabled", State: event.StateFiring, Severity: severity, From: start.Add(time.Duration(minute) * time.Minute),
		Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}},
	}
}

// story notes firings at minutes and says of each what it is as it fires: told, start, held.
func story(b *flap.Board, alerts ...*event.Alert) string {
	var out []string
	for _, a := range alerts {
		b.Note(a)
		out = append(out, word(b.Of(a, a.From)))
	}
	return strings.Join(out, " ")
}

func word(s flap.State) string {
	switch {
	case s.Start:
		return fmt.Sprint("start", s.Fired)
	case s.Held:
		return "held"
	}
	return "told"
}

func TestFlapping(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		minutes []int
		want    string
	}{
		"seldom":                            {[]int{0, 31, 62, 93, 124}, "told told told told told"},
		"the third within an hour":          {[]int{0, 10, 20}, "told told start3"},
		"exactly an hour is not within":     {[]int{0, 30, 60}, "told told told"},
		"held while it goes on":             {[]int{0, 10, 20, 30, 59, 88, 117}, "told told start3 held held held held"},
		"calm, and few since":               {[]int{0, 10, 20, 90, 100}, "told told start3 told told"},
		"exactly calm":                      {[]int{0, 1, 2, 3, 70}, "told told start3 held told"},
		"calm, and so many within the hour": {[]int{0, 10, 20, 50}, "told told start3 start4"},
	} {
		var alerts []*event.Alert
		for _, m := range tt.minutes {
			alerts = append(alerts, firing(m, "high"))
		}
		if got := story(flap.New(config()), alerts...); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestGraverBreaksThroughOnce(t *testing.T) {
	t.Parallel()
	b := flap.New(config())
	got := story(b, firing(0, "high"), firing(1, "high"), firing(2, "high"), firing(3, "high"), firing(4, "critical"), firing(5, "critical"), firing(6, "warn"))
	if want := "told told start3 held told held held"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	worse := firing(3, "critical")
	if !b.Note(worse) || b.Of(worse, worse.From).Held {
		t.Error("what gets graver does not break through")
	}
	if b.Note(worse) {
		t.Error("it got graver twice")
	}
}

func TestCalmLetsGo(t *testing.T) {
	t.Parallel()
	b := flap.New(config())
	story(b, firing(0, "high"), firing(1, "high"), firing(2, "high"), firing(3, "high"))
	at := func(minute int) flap.State {
		return b.Of(firing(3, "high"), start.Add(time.Duration(minute)*time.Minute))
	}
	if s := at(32); !s.Held || !s.Until.Equal(start.Add(33*time.Minute)) {
		t.Errorf("before: %+v", s)
	}
	if s := at(33); s.Held {
		t.Errorf("calm: %+v", s)
	}
	if n := b.Flapping(start.Add(32 * time.Minute)); n != 1 {
		t.Errorf("%d flap", n)
	}
	if n := b.Flapping(start.Add(33 * time.Minute)); n != 0 {
		t.Errorf("%d flap when calm", n)
	}
}

func TestOthersDoNotCount(t *testing.T) {
	t.Parallel()
	b := flap.New(config())
	for i := range 9 {
		shadow, other := firing(i, "high"), firing(i, "high")
		shadow.ID, shadow.Status = shadow.ID+"s", "shadow"
		other.ID, other.Key = other.ID+"o", []event.KeyPart{{Field: "client.ip", Value: fmt.Sprint("192.0.2.", i+10)}}
		b.Note(shadow)
		b.Note(other)
	}
	a := firing(10, "high")
	b.Note(a)
	if s := b.Of(a, a.From); s.Fired != 1 || s.Held || s.Start {
		t.Errorf("%+v", s)
	}
	if s := flap.New(flap.Config{}).Of(a, a.From); s != (flap.State{}) {
		t.Errorf("off: %+v", s)
	}
}

// TestOrderDoesNotMatter: whatever order the states come in, and how often, each firing is the same in the end.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 300), 1, 30, rapid.ID).Draw(t, "minutes")
		var alerts []*event.Alert
		for _, m := range minutes {
			alerts = append(alerts, firing(m, rapid.SampledFrom(event.Severities()).Draw(t, "severity")))
		}
		one, other := flap.New(config()), flap.New(config())
		for _, a := range alerts {
			one.Note(a)
		}
		for _, a := range rapid.Permutation(append(alerts, alerts...)).Draw(t, "order") {
			other.Note(a)
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "now")) * time.Minute)
		for _, a := range alerts {
			if one.Of(a, now) != other.Of(a, now) {
				t.Fatalf("%s: %+v and %+v", a.ID, one.Of(a, now), other.Of(a, now))
			}
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := flap.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := flap.Config{Fires: 1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "fires: found 1, expected 2 to 1000") {
		t.Error(err)
	}
	err = flap.Config{Fires: 4, Within: 13 * time.Hour}.Validate()
	if err == nil || !strings.Contains(err.Error(), "within: found 13h0m0s") || !strings.Contains(err.Error(), "calm: found 0s") {
		t.Error(err)
	}
}

func BenchmarkOf(b *testing.B) {
	board := flap.New(config())
	for i := range 1000 {
		board.Note(firing(i, "high"))
	}
	a := firing(999, "high")
	for b.Loop() {
		board.Of(a, a.From)
	}
}
