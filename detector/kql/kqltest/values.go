package kqltest

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// Few values, so that events and queries meet; each is awkward for somebody.

func keywords() []string {
	return []string{
		"", "a", "A", "ab", "a b", "a*b", "a?b", "a[b]", `a\b`, `q"u`, "x and y", "or", "not b", "null", "true", "(p)", "a:b", "<5", "{n}",
		"é", "e\u0301", "日本", "😀", "-1", "10", "1.0", "/ws/connect", "a+b", "~x", "a&&b||c", "50%", "tab\tx", " lead", "nb\u00a0sp", "\u3000", "connect", "Connect", "a^2",
	}
}

func words() []string {
	return []string{
		"quick", "Quick", "QUICK", "brown", "fox", "the", "10.5", "u_1", "don't", "漢字", "ひら", "カタカナ", "한글", "สวัสดี", "a.b", "x-y", "192.0.2.1", "/ws/connect",
		"Ünï", "İx", "50%", "…", "k:v", "and", "or", "not", "😀", "👩‍💻", "null", "true", "a*b", `q"u`,
	}
}

func longs() []int64 {
	return []int64{0, 1, -1, 200, 401, 500, 1000, 4001, 1<<53 + 1, 1 << 53, -1 << 63, 1<<63 - 1}
}

// floats are such as fit into 32 bits, which is what Elasticsearch keeps; others is what it cannot tell apart.
func floats(fine bool) []float64 {
	some := []float64{0, 1, 1.5, -2.25, 0.25, 401, 1000, 16777216}
	if fine {
		some = append(some, 0.1, 0.10000000149011612, 0.1000001, 16777217, 1e-40)
	}
	return some
}

func addresses() []string {
	return []string{
		"192.0.2.1", "192.0.2.2", "192.0.3.1", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:DB8:0:0::1", "2001:db8::ff", "::", "0.0.0.0", "255.255.255.255", "::1.2.3.4",
	}
}

func networks() []string {
	return []string{"192.0.2.0/24", "192.0.2.1/32", "0.0.0.0/0", "192.0.2.77/23", "2001:db8::/32", "2001:db8::1/128", "::/0", "::/96", "2001:db8::f0/124", "10.0.0.0/7"}
}

// instants stand on both sides of the ends of years, months, days, hours, minutes, seconds and milliseconds.
func instants(fine bool) *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		at := rapid.SampledFrom([]time.Time{
			time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC), time.Date(2026, 11, 21, 10, 30, 15, 0, time.UTC),
			time.Date(2024, 2, 29, 23, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC),
		}).Draw(t, "instant")
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, -1, 1, 120, -1000, 1000, 60_000, 3_600_000, 86_400_000}).Draw(t, "ms")) * time.Millisecond)
		if fine {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 500_000, 999_999}).Draw(t, "ns")))
		}
		return at
	})
}

// dates draws an instant's text cut at some precision, in some zone.
func dates() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		at := instants(false).Draw(t, "at")
		layout := rapid.SampledFrom([]string{"2006", "2006-01", "2006-01-02", "2006-01-02T15", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05.000"}).Draw(t, "precision")
		if !strings.Contains(layout, "T") {
			return at.Format(layout)
		}
		zone := rapid.SampledFrom([]*time.Location{nil, nil, time.UTC, time.FixedZone("", 8*3600), time.FixedZone("", -12600)}).Draw(t, "zone")
		if zone == nil {
			return at.Format(layout)
		}
		return at.In(zone).Format(layout + rapid.SampledFrom([]string{"Z07:00", "Z0700"}).Draw(t, "zone's form"))
	})
}

// numbers draws how a number may be written.
func numbers(t *rapid.T, n float64, whole int64, isWhole bool) string {
	if isWhole {
		forms := []string{fmt.Sprint(whole), fmt.Sprint(whole)}
		if whole > -1<<50 && whole < 1<<50 {
			forms = append(forms, fmt.Sprint(whole)+".0", fmt.Sprintf("%e", float64(whole)))
		}
		return rapid.SampledFrom(forms).Draw(t, "form")
	}
	return rapid.SampledFrom([]string{fmt.Sprint(n), fmt.Sprintf("%.4f", n), fmt.Sprintf("%e", n)}).Draw(t, "form")
}
