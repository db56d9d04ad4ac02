package scale

import (
	"fmt"
	"strconv"
	"time"
)

// explain says in a sentence why so many are wanted.
func (a *Advisor) explain(v view, r rates, out Advice) string {
	state := fmt.Sprintf("%s wait, %s/s arrive, %s/s are handled by %d", number(float64(r.lag)), number(r.arriving), number(r.handled), out.Members)
	each := fmt.Sprintf("one handles %s/s", number(a.each))
	why := ""
	switch v.what {
	case stalled:
		return fmt.Sprintf("%s: nothing was handled for %v, so something behind takes nothing, and more would not help", state, r.over.Round(time.Second))
	case oneIsFull:
		why = fmt.Sprintf("%s: %.0f %% of it is in one partition, which only one can have", state, 100*r.waits)
	case noUse:
		why = fmt.Sprintf("%s: more than before, %d, and hardly faster, so something behind them is the limit", state, a.before.members)
	case behind:
		why = fmt.Sprintf("%s: %s, %s; %d would within %v", state, each, pace(out.CatchUp), v.n, a.cfg.CatchUp)
	case keepsUp:
		why = fmt.Sprintf("%s: %s, of which %.0f %% should be used", state, each, 100*fullness)
	}
	switch {
	case v.n > out.Most:
		why += fmt.Sprintf("; more than %d have nothing to do", out.Most)
	case v.n < out.Wanted:
		why += fmt.Sprintf("; %d is kept until fewer were enough for %v", out.Wanted, a.cfg.Hold)
	case v.n > out.Wanted:
		why += "; one more look has to say the same"
	}
	return why
}

func pace(seconds float64) string {
	switch {
	case seconds < 0:
		return "at this rate it never catches up"
	case seconds < 1:
		return "nothing is to be caught up"
	}
	return fmt.Sprintf("at this rate it catches up in %v", (time.Duration(seconds) * time.Second).String())
}

// number prints a count with its thousands parted.
func number(f float64) string {
	s := strconv.FormatFloat(max(f, 0), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
