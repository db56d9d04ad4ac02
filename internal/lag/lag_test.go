package lag

import (
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// TestFrontierStandsStill holds the age of a reader that is paused to the clock.
func TestFrontierStandsStill(t *testing.T) {
	var f Frontier
	f.Done(100)
	f.Saw(100, start)
	if age := f.Age(100, start.Add(time.Second), 10*time.Second); age != 0 {
		t.Errorf("at the end, seen a moment ago, the age is %v", age)
	}
	for i := range 3600 { // something is written every second, nothing is read
		f.Saw(101+int64(i), start.Add(time.Duration(i+1)*time.Second))
	}
	now := start.Add(time.Hour)
	if age := f.Age(3700, now, 10*time.Second); age != time.Hour {
		t.Errorf("the age is %v after an hour", age)
	}
	f.Done(1900)
	if age := f.Age(3700, now, 10*time.Second); age < 30*time.Minute || age > 31*time.Minute {
		t.Errorf("the age is %v with half of it done", age)
	}
	f.Done(3700)
	if age := f.Age(3700, now, 10*time.Second); age != 0 {
		t.Errorf("the age is %v with all of it done", age)
	}
	if age := f.Age(3700, now.Add(time.Minute), 10*time.Second); age != time.Minute {
		t.Errorf("the end has not been seen for a minute, the age is %v", age)
	}
}

// TestFrontierIsTruthful draws what is written and read, and holds the age to the oldest line that is not read: it is never
// younger than that.
func TestFrontierIsTruthful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Frontier
		now, done := start, 0
		var written []time.Time
		f.Saw(0, now)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				written = append(written, now)
			case 1:
				done += rapid.IntRange(0, len(written)-done).Draw(t, "read")
				f.Done(int64(done))
			case 2:
				f.Saw(int64(len(written)), now)
			}
		}
		f.Saw(int64(len(written)), now)
		age := f.Age(int64(len(written)), now, 0)
		if done == len(written) {
			if age != 0 {
				t.Fatalf("all was read, and the age is %v", age)
			}
			return
		}
		if oldest := now.Sub(written[done]); age < oldest {
			t.Fatalf("the oldest line has waited for %v, the age is %v", oldest, age)
		}
	})
}

func TestFrontierBoundsItsMemory(t *testing.T) {
	var f Frontier
	for i := range 100_000 {
		f.Saw(int64(i+1), start.Add(time.Duration(i)*time.Second))
	}
	if len(f.samples) > maxSamples {
		t.Errorf("%d samples", len(f.samples))
	}
	f.Saw(50, start.Add(1000*time.Hour)) // contradicts the rest
	f.Done(100_000)
	if want := start.Add(99_999 * time.Second); !f.Until().Equal(want) {
		t.Errorf("until %v, not %v", f.Until(), want)
	}
}

func TestMeter(t *testing.T) {
	var m Meter
	for i := range 601 {
		m.Note(int64(i)*10, start.Add(time.Duration(i)*100*time.Millisecond))
	}
	now := start.Add(time.Minute)
	if r := m.Rate(now); r < 99 || r > 101 {
		t.Errorf("%v a second, not 100", r)
	}
	if r := m.Rate(now.Add(time.Hour)); r > 1 {
		t.Errorf("%v a second an hour after the last", r)
	}
	if len(m.points) > 2*int(window/step) {
		t.Errorf("%d points", len(m.points))
	}
	if eta, ok := ETA(1000, 100); !ok || eta != 10*time.Second {
		t.Errorf("%v %v", eta, ok)
	}
	if _, ok := ETA(1000, -1); ok {
		t.Error("it never ends, and has an end")
	}
}

// TestProgress counts the lines: one every ten seconds while behind, one at the end, none otherwise.
func TestProgress(t *testing.T) {
	log, hook := test.NewNullLogger()
	p := Progress{Log: log, Bound: 10 * time.Second, What: "the logs"}
	left := int64(10_000)
	for i := range 100 { // a second each: 100 lines are written and 300 done
		left = max(0, left-200)
		p.Note(int64(i)*300, left, time.Duration(left/300)*time.Second, start.Add(time.Duration(i)*time.Second))
	}
	var told []string
	for _, e := range hook.AllEntries() {
		told = append(told, e.Message)
	}
	want := []string{"behind the logs", "catching up with the logs", "catching up with the logs", "catching up with the logs", "caught up with the logs"}
	if len(told) != len(want) {
		t.Fatalf("told %q", told)
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("%d: %q, not %q", i, told[i], want[i])
		}
	}
	e := hook.AllEntries()[2]
	if e.Data["lines_per_second"] != int64(300) || e.Data["eta"] == "unknown: it becomes no less" || e.Level != logrus.InfoLevel {
		t.Errorf("%v", e.Data)
	}
}
