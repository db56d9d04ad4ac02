package silence

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseWeekly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Weekly{
		"mon-fri 22:00-06:00 Asia/Shanghai": {[]string{"mon", "tue", "wed", "thu", "fri"}, "22:00", "06:00", "Asia/Shanghai"},
		"Sat,sun 00:00-24:00":               {[]string{"sat", "sun"}, "00:00", "24:00", ""},
		"fri-mon,wed 01:00-02:00 UTC":       {[]string{"fri", "sat", "sun", "mon", "wed"}, "01:00", "02:00", "UTC"},
		"08:00-09:30 Europe/Berlin":         {nil, "08:00", "09:30", "Europe/Berlin"},
	} {
		got, err := ParseWeekly(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
	for text, part := range map[string]string{
		"": "expected days, hours", "mon": "expected days, hours", "mon 22:00": "expected days, hours", "monday 22:00-06:00": `days: found "monday"`, "mon 25:00-06:00": `from: found "25:00"`,
		"mon 22:00-06:00 CST8": `zone: found "CST8"`, "mon 22:00-06:00 UTC x": "expected days, hours", "mon- 22:00-06:00": `days: found "mon-"`,
	} {
		if _, err := ParseWeekly(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", text, err, part)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-28T22:00:00+08:00": "2026-11-28T14:00:00Z", "2026-11-28 22:00": "2026-11-28T14:00:00Z", "2026-11-28T22:00": "2026-11-28T14:00:00Z", "2026-11-28T22:00:30": "2026-11-28T14:00:30Z",
	} {
		if got, err := ParseTime(text, "Asia/Shanghai"); err != nil || !got.Equal(at(t, want)) {
			t.Errorf("%s: %v, %v", text, got.UTC(), err)
		}
	}
	for _, text := range []string{"", "tomorrow", "2026-11-28", "2026-13-28 22:00"} {
		if _, err := ParseTime(text, "UTC"); err == nil || !strings.Contains(err.Error(), "expected a time such as") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseTime("2026-11-28 22:00", "CST8"); err == nil || !strings.HasPrefix(err.Error(), "zone: ") {
		t.Error(err)
	}
	s := Silence{Zone: "Asia/Shanghai"}
	if got := s.Clock(time.Date(2026, 11, 28, 14, 0, 0, 0, time.UTC)); got != "2026-11-28T22:00:00+08:00 Asia/Shanghai" {
		t.Error(got)
	}
}

// FuzzParseWeekly: what is taken is written the same way again, and is valid.
func FuzzParseWeekly(f *testing.F) {
	f.Add("mon-fri 22:00-06:00 Asia/Shanghai")
	f.Add("sun,sat 00:00-24:00")
	f.Add("- :-:")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWeekly(text)
		if err != nil {
			return
		}
		again, err := ParseWeekly(w.String())
		if err != nil {
			t.Fatalf("%q was taken, %q is not: %v", text, w.String(), err)
		}
		if diff := cmp.Diff(w, again); diff != "" {
			t.Fatalf("%q: -first +second\n%s", text, diff)
		}
	})
}
