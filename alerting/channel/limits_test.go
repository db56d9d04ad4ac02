package channel_test

import (
	"strings"
	"testing"
	"time"

	"imwatch/alerting/channel"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		limits channel.Limits
		want   string // "": valid
	}{
		{channel.Limits{}, ""},
		{channel.Limits{PerMinute: 3, PerDay: 50, Reserve: 2}, ""},
		{channel.Limits{PerMinute: -1}, "x.per_minute: found -1"},
		{channel.Limits{PerMinute: 5, PerDay: 50, Reserve: 10}, ""},
		{channel.Limits{PerDay: 5, Reserve: 5}, "x.reserve: found 5, expected 0 to less than the greater limit (5)"},
		{channel.Limits{Reserve: -1}, "x.reserve: found -1"},
	} {
		err := c.limits.Validate("x")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.limits, err)
		}
	}
}

// TestBudgetsOfNumbers: each number has budgets of its own, which all receivers of an account share, and no key shows a number.
func TestBudgetsOfNumbers(t *testing.T) {
	l := channel.Limits{PerMinute: 2, PerDay: 50, Reserve: 1}
	one := l.Budgets("sms", "account", []string{"+8613800000001"}, 70)
	two := l.Budgets("sms", "account", []string{"+8613800000002", "+8613800000001"}, 70)
	if len(one) != 2 || len(two) != 4 || one[0] != two[2] || one[1] != two[3] || two[0].Key == two[2].Key {
		t.Errorf("%+v\n%+v", one, two)
	}
	if one[0].Per != time.Minute || one[0].Calls != 2 || one[1].Per != 24*time.Hour || one[1].Calls != 50 || strings.Contains(one[0].Key, "138") && strings.Contains(one[0].Key, "00000001") {
		t.Errorf("%+v", one)
	}
	if b := (channel.Limits{PerMinute: 5, PerDay: 50, Reserve: 10}).Budgets("sms", "a", []string{"1"}, 70); b[0].Reserve != 1 || b[1].Reserve != 10 {
		t.Errorf("%+v", b)
	}
	if other := l.Budgets("sms", "another", []string{"+8613800000001"}, 70); other[0].Key == one[0].Key {
		t.Error("two accounts share a budget")
	}
	if none := (channel.Limits{}).Budgets("sms", "account", []string{"+8613800000001"}, 70); len(none) != 1 || none[0] != (channel.Budget{Fold: 70}) {
		t.Errorf("%+v", none)
	}
}
