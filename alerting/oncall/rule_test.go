package oncall

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"
)

// TestRulesComeWhenAnotherReaderSays compares rules with another implementation of RFC 5545.
func TestRulesComeWhenAnotherReaderSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		freq := rapid.SampledFrom(frequencies).Draw(t, "freq")
		parts := []string{"FREQ=" + freq}
		some := func(name string) bool { return rapid.IntRange(0, 2).Draw(t, name+"?") == 0 }
		ints := func(name string, low, high, most int) {
			if !some(name) {
				return
			}
			var texts []string
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(low, high).Filter(func(n int) bool { return n != 0 }), 1, most, rapid.ID[int]).Draw(t, name) {
				texts = append(texts, fmt.Sprint(n))
			}
			parts = append(parts, name+"="+strings.Join(texts, ","))
		}
		if some("INTERVAL") {
			parts = append(parts, fmt.Sprintf("INTERVAL=%d", rapid.IntRange(1, 5).Draw(t, "INTERVAL")))
		}
		if some("COUNT") {
			parts = append(parts, fmt.Sprintf("COUNT=%d", rapid.IntRange(1, 40).Draw(t, "COUNT")))
		}
		ints("BYMONTH", 1, 12, 3)
		if freq != "WEEKLY" { // where the RFC does not allow it
			ints("BYMONTHDAY", -31, 31, 3)
		}
		if some("BYDAY") {
			var texts []string
			numbered := (freq == "MONTHLY" || freq == "YEARLY") && rapid.Bool().Draw(t, "numbered") // the other one takes a mixture for an intersection
			for _, d := range rapid.SliceOfNDistinct(rapid.SampledFrom(weekdayNames), 1, 4, rapid.ID[string]).Draw(t, "BYDAY") {
				if numbered {
					d = fmt.Sprint(rapid.SampledFrom([]int{-4, -2, -1, 1, 2, 3, 4}).Draw(t, "n")) + d
				}
				texts = append(texts, d)
			}
			parts = append(parts, "BYDAY="+strings.Join(texts, ","))
		}
		if freq == "MONTHLY" || freq == "YEARLY" { // the other one cuts the first week short
			ints("BYSETPOS", -4, 4, 2)
		}
		if freq == "WEEKLY" {
			parts = append(parts, "WKST="+rapid.SampledFrom(weekdayNames).Draw(t, "WKST"))
		}
		start := time.Date(2024, 1, 1, 9, 30, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 800).Draw(t, "start"))
		end := start.AddDate(4, 0, 0)
		if some("UNTIL") {
			parts = append(parts, "UNTIL="+start.AddDate(0, 0, rapid.IntRange(0, 900).Draw(t, "UNTIL")).Format("20060102T150405Z"))
		}
		text := strings.Join(parts, ";")
		r, err := parseRule(text, start, time.UTC)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got, want []string
		r.each(end, func(w time.Time) { got = append(got, w.Format(time.RFC3339)) })
		o, err := rrule.StrToROption(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		o.Dtstart = start
		other, err := rrule.NewRRule(*o)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, w := range other.Between(start, end.Add(-1), true) {
			want = append(want, w.Format(time.RFC3339))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s from %s: -want +got\n%s", text, start, diff)
		}
	})
}
