package channel

import (
	"errors"
	"fmt"
	"time"
)

// Limits are how often each number may be told. The zero Limits are none.
type Limits struct {
	PerMinute int `yaml:"per_minute" doc:"messages to each number in any minute; what is more is told together; 0: no limit"`
	PerDay    int `yaml:"per_day" doc:"messages to each number in any 24 hours, likewise; 0: no limit"`
	Reserve   int `yaml:"reserve" doc:"of the greater limit, so many are kept for critical alerts, and of the smaller one as large a part"`
}

// Validate gives all faults, each with its key below path.
func (l Limits) Validate(path string) error {
	var errs []error
	for _, f := range []struct {
		key   string
		value int
	}{{"per_minute", l.PerMinute}, {"per_day", l.PerDay}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s.%s: found %d, expected 0 (no limit) or more", path, f.key, f.value))
		}
	}
	if most := l.most(); l.Reserve < 0 || most > 0 && l.Reserve >= most {
		errs = append(errs, fmt.Errorf("%s.reserve: found %d, expected 0 to less than the greater limit (%d)", path, l.Reserve, most))
	}
	return errors.Join(errs...)
}

func (l Limits) most() int { return max(l.PerMinute, l.PerDay) }

// reserve gives what is kept of a limit.
func (l Limits) reserve(limit int) int { return (l.Reserve*limit + l.most() - 1) / l.most() }

// Budgets gives the budgets of each number, by the kind of the channel and the account, and what a message of several may
// hold. Receivers that tell the same number by the same account share that number's.
func (l Limits) Budgets(kind, account string, numbers []string, fold int) []Budget {
	var all []Budget
	for _, n := range numbers {
		key := BudgetKey(kind, account+"\n"+n)
		if l.PerMinute > 0 {
			all = append(all, Budget{Key: key + "-minute", Calls: l.PerMinute, Per: time.Minute, Reserve: l.reserve(l.PerMinute), Fold: fold})
		}
		if l.PerDay > 0 {
			all = append(all, Budget{Key: key + "-day", Calls: l.PerDay, Per: 24 * time.Hour, Reserve: l.reserve(l.PerDay), Fold: fold})
		}
	}
	if len(all) == 0 {
		return []Budget{{Fold: fold}}
	}
	return all
}
