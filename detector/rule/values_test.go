package rule_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"imwatch/detector/rule"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "500ms": 500 * time.Millisecond, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour,
		"1w2d3h4m5s6ms": (9*24+3)*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond,
	} {
		if got, err := rule.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "1.5h", "-1s", "1 s", "1h 30m", "30m1h", "1m1m", "1y", "1M", "1us", "99999999999999999999s", "20000w"} {
		if got, err := rule.ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestDurationsAreReadAsPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, math.MaxInt64/int64(time.Millisecond)).Draw(t, "ms")) * time.Millisecond
		text := rule.FormatDuration(d)
		if got, err := rule.ParseDuration(text); err != nil || got != d {
			t.Fatalf("%s: got %v (%v), want %v", text, got, err, d)
		}
	})
}

func TestComparison(t *testing.T) {
	for _, c := range []struct {
		text             string
		below, at, above bool // of 20
	}{
		{"> 20", false, false, true},
		{">= 20", false, true, true},
		{"< 20", true, false, false},
		{"<=20", true, true, false},
		{"==20", false, true, false},
		{" != 2e1 ", true, false, true},
	} {
		got, err := rule.ParseComparison(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if got.Holds(19.5) != c.below || got.Holds(20) != c.at || got.Holds(20.5) != c.above {
			t.Errorf("%q holds wrongly", c.text)
		}
		if got.String() != strings.TrimSpace(c.text) {
			t.Errorf("%q prints as %q", c.text, got)
		}
	}
	if got := (rule.Comparison{Op: rule.NotEqual, Limit: 2.5}).String(); got != "!= 2.5" {
		t.Errorf("a made comparison prints as %q", got)
	}
	for _, text := range []string{"", "20", "=> 20", "> ", "> x", "> 0x10", "> 1_000", "> NaN", "> Inf", "> 1e999", "> 5%", "> 20 or < 5", ">>1"} {
		if got, err := rule.ParseComparison(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestInstants(t *testing.T) {
	got := rule.Span{From: 0, To: 57 * time.Second}.Instants(20)
	for i, at := range got {
		if at != time.Duration(i)*3*time.Second {
			t.Errorf("instant %d is %v", i, at)
		}
	}
	want := []time.Duration{time.Second}
	if diff := cmp.Diff(want, rule.Span{From: time.Second, To: time.Second}.Instants(1)); diff != "" {
		t.Error(diff)
	}
}
