package scale

import (
	"math"
	"time"
)

const (
	slack      = 5 * time.Second // so much is under way, or not committed yet, without being late
	fullness   = 0.8             // of what it can handle a member should have to
	learning   = 0.3             // weight of what was seen last in what a member can handle
	forgetting = 12 * time.Hour  // within which two thirds of what was seen in trouble are forgotten
	hot        = 0.8             // share of one partition in what waits, from which on it is that partition's matter
	flood      = 0.5             // and its share in what flows
	worthless  = 0.25            // share of the gain to be expected of more members, below which they did not help
)

// Advice is how many members a group should have, and what that is made of.
type Advice struct {
	Wanted   int       `json:"wanted"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
	Members  int       `json:"instances"`
	Most     int       `json:"most"`             // more have nothing to do
	Lag      int64     `json:"lag"`              // messages that wait
	Arriving float64   `json:"arriving_per_s"`   // messages a second
	Handled  float64   `json:"handled_per_s"`    // by all members
	Each     float64   `json:"each_per_s"`       // what one can handle, by what was seen
	CatchUp  float64   `json:"catch_up_seconds"` // at the present rates; -1: never
}

// Advisor makes advice for one group. It decides by what it is given only; not safe for concurrent use.
type Advisor struct {
	cfg    Config
	window window
	first  float64 // what one is taken to handle as long as nothing else was seen
	each   float64 // what one can handle
	known  bool    // each was seen while there was more to do
	busy   pair    // the last rate seen while there was more to do
	before pair    // the same before members were added
	capped int     // more than so many did not help; 0: not seen
	wishes []wish
	wanted int
}

// pair is a number of members and what they handled.
type pair struct {
	members int
	handled float64
}

// wish is what one sample by itself asks for.
type wish struct {
	at time.Time
	n  int
}

// NewAdvisor returns one that has seen nothing, and takes a member to handle so many messages a second (above 0) until it
// has seen what one does.
func NewAdvisor(cfg Config, each float64) *Advisor {
	return &Advisor{cfg: cfg, first: each, each: each}
}

// Observe takes a sample and gives advice. Samples come in the order of their times. most is how many members are of use;
// 0: as many as there are partitions.
func (a *Advisor) Observe(s Sample, most int) Advice {
	if most <= 0 {
		most = max(1, len(s.Ends))
	}
	a.changed(s.Members)
	a.window = a.window.add(s)
	r := a.window.rates()
	out := Advice{At: s.At, Members: s.Members, Most: most, Lag: r.lag, Arriving: r.arriving, Handled: r.handled}
	if len(a.window) == 1 {
		if a.wanted == 0 {
			a.wanted = s.Members
		}
		a.wanted = clamp(a.wanted, most)
		out.Wanted, out.Each, out.CatchUp = a.wanted, a.each, catchUp(r)
		out.Why = "the group has just begun or changed: its rates are not known yet"
		return out
	}
	v := a.look(s.Members, r)
	a.settle(s.At, clamp(v.n, most), most)
	out.Wanted, out.Each, out.CatchUp = a.wanted, a.each, catchUp(r)
	out.Why = a.explain(v, r, out)
	return out
}

// changed notes that the group has another number of members than before.
func (a *Advisor) changed(members int) {
	if len(a.window) == 0 || a.window[len(a.window)-1].Members == members {
		return
	}
	a.capped, a.before = 0, pair{}
	if a.busy.members > 0 && members > a.busy.members {
		a.before = a.busy
	}
	a.busy = pair{}
}

// view is what one look at the rates comes to.
type view struct {
	n    int
	what reason
	need float64 // messages a second
}

type reason int

const (
	keepsUp   reason = iota // what arrives decides
	behind                  // what waits decides
	stalled                 // nothing is handled
	oneIsFull               // one partition has it all
	noUse                   // more were tried
)

// look judges the rates by themselves.
func (a *Advisor) look(members int, r rates) view {
	busy := float64(r.least) > slack.Seconds()*max(r.arriving, r.handled) && r.least > 0
	if !busy {
		a.capped, a.busy = 0, pair{}
	}
	if busy && r.handled == 0 {
		return view{members, stalled, 0}
	}
	a.learn(members, r, busy)
	v := view{what: keepsUp, need: r.arriving / fullness}
	if waits := float64(r.lag) - slack.Seconds()*r.arriving; waits > 0 {
		if need := r.arriving + waits/a.cfg.CatchUp.Seconds(); busy || need > v.need {
			v.what, v.need = behind, need
		}
	}
	v.n = a.enough(v.need)
	if busy && r.handled <= r.arriving { // whatever one was supposed to do, so many do not
		v.n = max(v.n, members+1)
	}
	switch {
	case v.what == keepsUp: // without anything that waits, there are enough
		v.n = min(v.n, max(members, 1))
	case busy && r.waits > hot && r.flows > flood && v.n > max(members, 2):
		v.n, v.what = max(members, 2), oneIsFull
	case a.capped > 0 && v.n > a.capped:
		v.n, v.what = a.capped, noUse
	}
	return v
}

// enough is how many members do so much a second; one more than there are partitions where all of them do not.
func (a *Advisor) enough(need float64) int {
	partitions := len(a.window[len(a.window)-1].Ends)
	for n := 1; n <= partitions; n++ {
		if a.each*share(partitions, n) >= need {
			return n
		}
	}
	return partitions + 1
}

// learn takes up what members were seen to handle.
func (a *Advisor) learn(members int, r rates, busy bool) {
	if members == 0 {
		return
	}
	each := r.handled / float64(members)
	if !busy {
		if n := len(a.window); a.each < a.first && n > 1 { // what was seen in trouble does not count for ever
			a.each += (a.first - a.each) * -math.Expm1(-a.window[n-1].At.Sub(a.window[n-2].At).Seconds()/forgetting.Seconds())
		}
		a.each = max(a.each, each)
		return
	}
	if r.each > 0 {
		each = r.each
	}
	if a.known {
		each = a.each + learning*(each-a.each)
	}
	a.each, a.known = each, true
	if a.before.members > 0 && len(a.window) == windowSize {
		partitions := len(a.window[0].Ends)
		expected := share(partitions, members)/share(partitions, a.before.members) - 1
		if r.handled/a.before.handled-1 < worthless*expected {
			a.capped = members
		}
	}
	a.busy = pair{members, r.handled}
}

// settle turns wishes into what is wanted: more when two samples in a row ask for it, fewer when fewer were enough for
// as long as Hold says.
func (a *Advisor) settle(at time.Time, n, most int) {
	a.wishes = append(a.wishes, wish{at, n})
	for len(a.wishes) > 2 && at.Sub(a.wishes[1].at) >= a.cfg.Hold {
		a.wishes = a.wishes[1:]
	}
	last := a.wishes[max(0, len(a.wishes)-2):]
	up := min(last[0].n, last[len(last)-1].n)
	down := 0
	for _, w := range a.wishes {
		down = max(down, w.n)
	}
	a.wanted = clamp(a.wanted, most)
	switch held := at.Sub(a.wishes[0].at) >= a.cfg.Hold; {
	case len(last) == 2 && up > a.wanted:
		a.wanted = up
	case held && down < a.wanted:
		a.wanted = down
	}
}

func clamp(n, most int) int { return min(max(n, 1), most) }

// catchUp is how many seconds it takes at these rates until nothing waits; -1: for ever.
func catchUp(r rates) float64 {
	switch {
	case r.lag == 0:
		return 0
	case r.handled <= r.arriving:
		return -1
	}
	return float64(r.lag) / (r.handled - r.arriving)
}
