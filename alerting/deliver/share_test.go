package deliver_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"imwatch/alerting/budget"
	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/internal/store"

	"pgregory.net/rapid"
)

// shelf is a store that holds one book, and fails as it is told.
type shelf struct {
	body    []byte
	version int
	calls   int
	get     func() error                // before a reading
	swap    func() (done bool, _ error) // whether a writing is carried out all the same
}

func (s *shelf) Get(context.Context, string, string) ([]byte, string, error) {
	s.calls++
	if s.get != nil {
		if err := s.get(); err != nil {
			return nil, "", err
		}
	}
	if s.version == 0 {
		return nil, "", store.ErrNotFound
	}
	return s.body, strconv.Itoa(s.version), nil
}

func (s *shelf) Swap(_ context.Context, d store.Doc, version string) (string, error) {
	s.calls++
	do, err := true, error(nil)
	if s.swap != nil {
		do, err = s.swap()
	}
	if do {
		if now := strconv.Itoa(s.version); version != now && (version != "" || s.version != 0) {
			return "", store.ErrConflict
		}
		s.version++
		s.body = d.Body
	}
	return strconv.Itoa(s.version), err
}

// made is one call as the provider may count it: at any moment between begin and end.
type made struct {
	begin, end time.Time
	urgent     bool
}

// tooMany gives the calls of a minute in which there are more than allowed.
func tooMany(all []made, calls, common int) error {
	for _, c := range all {
		near, plain := 0, 0
		for _, d := range all {
			if !d.begin.After(c.begin) && c.begin.Sub(d.end) < time.Minute {
				near++
				if !d.urgent {
					plain++
				}
			}
		}
		if near > calls || plain > common {
			return fmt.Errorf("%d calls around %v, %d of them not urgent; allowed are %d and %d", near, c.begin, plain, calls, common)
		}
	}
	return nil
}

// alerter is one of several that share a budget.
type alerter struct {
	pace  *deliver.Pace
	skew  time.Duration
	under []*underWay
}

type underWay struct {
	made

	turn deliver.Turn
}

// TestSharedPaceNeverPassesItsBudget: whatever alerters do beside each other, between each other's reading and writing too, however
// the store fails and however far the allowed skew sets their clocks apart.
func TestSharedPaceNeverPassesItsBudget(t *testing.T) {
	const hold = 20 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.IntRange(1, 8).Draw(t, "calls")
		reserve := rapid.IntRange(0, calls-1).Draw(t, "reserve")
		faults := rapid.Bool().Draw(t, "faults")
		s := &shelf{}
		now := time.Unix(1_800_000_000, 0)
		var all []*alerter
		for i := range rapid.IntRange(1, 4).Draw(t, "alerters") {
			p := deliver.NewPace(channel.Budget{Calls: calls, Per: time.Minute, Reserve: reserve, Fold: rapid.SampledFrom([]int{0, 1000}).Draw(t, "fold")})
			p.Share(budget.NewKeeper(s, "robot", fmt.Sprint("alerter-", i), time.Minute), hold)
			all = append(all, &alerter{pace: p, skew: time.Duration(rapid.IntRange(-500, 500).Draw(t, "skew")) * time.Millisecond})
		}
		var done []made
		inside := map[*alerter]bool{} // it is asking, so others come between
		take := func(a *alerter) {
			inside[a] = true
			defer delete(inside, a)
			urgent := rapid.Bool().Draw(t, "urgent")
			turn, wait := a.pace.Take(t.Context(), now.Add(a.skew), urgent)
			if wait > time.Minute+budget.Skew || wait < 0 {
				t.Fatalf("wait %v", wait)
			}
			if wait == 0 {
				a.under = append(a.under, &underWay{made{begin: now, urgent: urgent}, turn})
			}
		}
		other := func() {
			for _, a := range all {
				if !inside[a] && rapid.IntRange(0, 3).Draw(t, "between") == 0 {
					take(a)
				}
			}
		}
		s.get = func() error {
			if faults && rapid.IntRange(0, 3).Draw(t, "reading fails") == 0 {
				return store.ErrUnavailable
			}
			return nil
		}
		s.swap = func() (bool, error) {
			other()
			if faults {
				switch rapid.IntRange(0, 4).Draw(t, "writing fails") {
				case 0:
					return false, store.ErrUnavailable
				case 1:
					return true, store.ErrUnavailable
				}
			}
			return true, nil
		}
		end := func(a *alerter, i int, wasMade bool) {
			u := a.under[i]
			a.under = append(a.under[:i], a.under[i+1:]...)
			u.turn.End(now.Add(a.skew), wasMade)
			if u.end = now; wasMade {
				done = append(done, u.made)
			}
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 36).Draw(t, "quarters")) * time.Second / 4)
			for _, a := range all { // nobody keeps a call under way past its turn
				for len(a.under) > 0 && now.Add(a.skew).After(a.under[0].turn.By) {
					a.under[0].end = a.under[0].turn.By.Add(-a.skew)
					u := a.under[0]
					a.under = a.under[1:]
					u.turn.End(u.turn.By, true)
					done = append(done, u.made)
				}
			}
			a := rapid.SampledFrom(all).Draw(t, "who")
			if len(a.under) > 0 && rapid.Bool().Draw(t, "end") {
				end(a, rapid.IntRange(0, len(a.under)-1).Draw(t, "which"), rapid.IntRange(0, 4).Draw(t, "made") > 0)
				continue
			}
			take(a)
		}
		for _, a := range all {
			for len(a.under) > 0 {
				end(a, 0, true)
			}
		}
		common := calls - reserve
		if faults {
			common = calls // by shares alone a little of the reserve may go to others
		}
		if err := tooMany(done, calls, common); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAskingCostsLittle: what has to wait does not read the book each time it is looked at, and a call costs a reading and a
// writing.
func TestAskingCostsLittle(t *testing.T) {
	s, now := &shelf{}, time.Unix(1_800_000_000, 0)
	p := deliver.NewPace(channel.Budget{Calls: 3, Per: time.Minute})
	p.Share(budget.NewKeeper(s, "robot", "me", time.Minute), time.Second)
	for range 3 {
		turn, wait := p.Take(t.Context(), now, false)
		if wait != 0 {
			t.Fatal(wait)
		}
		turn.End(now, true)
	}
	if s.calls != 6 {
		t.Errorf("%d calls of the store for 3", s.calls)
	}
	for range 1000 {
		if _, wait := p.Take(t.Context(), now, false); wait == 0 {
			t.Fatal("a fourth call")
		}
	}
	if s.calls > 7 {
		t.Errorf("%d calls of the store while waiting", s.calls-6)
	}
}

// TestUnusedTurnIsUsedNext: what was held back or taken by another one costs no further call of the store.
func TestUnusedTurnIsUsedNext(t *testing.T) {
	s, now := &shelf{}, time.Unix(1_800_000_000, 0)
	p := deliver.NewPace(channel.Budget{Calls: 2, Per: time.Minute})
	p.Share(budget.NewKeeper(s, "robot", "me", time.Minute), 20*time.Second)
	for range 5 {
		turn, wait := p.Take(t.Context(), now, false)
		if wait != 0 {
			t.Fatal(wait)
		}
		turn.End(now, false)
		now = now.Add(time.Second)
	}
	if s.calls != 2 {
		t.Errorf("%d calls of the store", s.calls)
	}
}

// TestShareWhileTheStoreFails: an alerter that is pressed goes on with its share, never with more, and not for ever.
func TestShareWhileTheStoreFails(t *testing.T) {
	s, now := &shelf{}, time.Unix(1_800_000_000, 0)
	p := deliver.NewPace(channel.Budget{Calls: 20, Per: time.Minute, Reserve: 4})
	p.Share(budget.NewKeeper(s, "robot", "me", time.Minute), 10*time.Second)
	take := func(urgent bool) bool {
		turn, wait := p.Take(t.Context(), now, urgent)
		if wait == 0 {
			turn.End(now, true)
		}
		return wait == 0
	}
	for range 8 { // half of what is not reserved: from then on it is pressed
		if !take(false) {
			t.Fatal("refused although there is room")
		}
	}
	s.get = func() error { return store.ErrUnavailable }
	got := 0
	for range 30 {
		if take(true) {
			got++
		}
	}
	if got != 2 { // a half of 20 are its own, of which 8 are used
		t.Errorf("%d calls by the share", got)
	}
	now = now.Add(time.Minute)
	for got = 0; take(false); got++ {
	}
	if got != 8 { // of ten, two are for what is urgent
		t.Errorf("%d calls by the share in the next minute", got)
	}
	if now = now.Add(time.Minute); take(true) {
		t.Error("a call by a share that has ended")
	}
	s.get = nil
	if !take(true) {
		t.Error("refused although the store is back")
	}
}

// TestBlockIsHeardByOthers: a provider that asks one alerter to wait is left alone by all.
func TestBlockIsHeardByOthers(t *testing.T) {
	s, now := &shelf{}, time.Unix(1_800_000_000, 0)
	var ps []*deliver.Pace
	for _, name := range []string{"a", "b"} {
		p := deliver.NewPace(channel.Budget{Calls: 20, Per: time.Minute})
		p.Share(budget.NewKeeper(s, "robot", name, time.Minute), 10*time.Second)
		ps = append(ps, p)
	}
	ps[0].Block(t.Context(), now, now.Add(time.Minute))
	if _, wait := ps[1].Take(t.Context(), now, true); wait == 0 {
		t.Error("the other one calls")
	}
	if _, wait := ps[1].Take(t.Context(), now.Add(time.Minute), true); wait != 0 {
		t.Errorf("%v after the time", wait)
	}
}
