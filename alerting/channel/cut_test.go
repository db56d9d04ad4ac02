package channel_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"imwatch/alerting/channel"

	"pgregory.net/rapid"
)

func TestCutBytesKeepsTheLimitAndCountsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("告警a🔥é")), 0, 3000, -1)).Draw(t, "text")
		if rapid.Bool().Draw(t, "broken") {
			s += "\xe5\x91" + s // the head of a rune without its end
		}
		limit := rapid.IntRange(16, 4096).Draw(t, "limit")
		checkCut(t, s, channel.CutBytes(s, limit), limit, func(s string) int { return len(s) })
		checkCut(t, s, channel.CutRunes(s, limit), limit, utf8.RuneCountInString)
	})
}

func checkCut(t *rapid.T, s, got string, limit int, size func(string) int) {
	t.Helper()
	whole := strings.ToValidUTF8(s, "\uFFFD")
	if !utf8.ValidString(got) || size(got) > limit {
		t.Fatalf("%d of at most %d, valid %v: %q", size(got), limit, utf8.ValidString(got), got)
	}
	if size(whole) <= limit {
		if got != whole {
			t.Fatalf("changed what fits: %q", got)
		}
		return
	}
	i := strings.LastIndex(got, "…+")
	if i < 0 {
		t.Fatalf("no tail on %q", got)
	}
	n, err := strconv.Atoi(got[i+len("…+"):])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(whole, got[:i]) || utf8.RuneCountInString(got[:i])+n != utf8.RuneCountInString(whole) {
		t.Fatalf("%d runes kept and %d counted of %d", utf8.RuneCountInString(got[:i]), n, utf8.RuneCountInString(whole))
	}
	if size(got) < limit-16 {
		t.Fatalf("only %d of %d used", size(got), limit)
	}
}

func TestCutBelowTheTail(t *testing.T) {
	for limit := range 5 {
		if got := channel.CutBytes("告警告警告警告警", limit); got != "" {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
	if got := channel.CutBytes("abc", 3); got != "abc" {
		t.Errorf("got %q", got)
	}
}
