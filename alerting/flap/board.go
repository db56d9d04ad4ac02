package flap

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"imwatch/event"
)

// Remembered is for how long a firing counts: a rule's key that has flapped for longer is told again.
const Remembered = 24 * time.Hour

// maxFirings bounds what is kept of one key: the newest.
const maxFirings = 5000

// Board knows the firings of the last day. Safe for concurrent use.
type Board struct {
	cfg Config

	mu     sync.Mutex // guards the fields below
	keys   map[string][]firing
	swept  time.Time
	newest time.Time
}

// firing is one spell, in the order of their beginning.
type firing struct {
	from int64 // ns
	id   string
	rank int // the gravest so far
}

// State is what a firing is among those of its key.
type State struct {
	Fired int       // how many there were within the time, itself included, as it fired
	Start bool      // it makes its key flap: that is to be said
	Held  bool      // it is not to be told while the key flaps
	Until time.Time // when the key has been calm for long enough, as far as is known
}

// New makes a board of a valid configuration.
func New(c Config) *Board { return &Board{cfg: c, keys: map[string][]firing{}} }

func keyOf(a *event.Alert) string {
	var b strings.Builder
	b.WriteString(a.RuleID)
	for _, p := range a.Key {
		b.WriteByte(0)
		b.WriteString(p.Field)
		b.WriteByte(0)
		b.WriteString(p.Value)
	}
	return b.String()
}

// Note takes in a state of an alert, in any order and as often as it comes. It says whether the alert got graver, and may
// so have broken through. Rules in shadow do not count.
func (b *Board) Note(a *event.Alert) (graver bool) {
	if !b.cfg.On() || a.Status == "shadow" {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key, rank := keyOf(a), slices.Index(event.Severities(), a.Severity)
	list := b.keys[key]
	at, there := place(list, a)
	if there {
		graver = rank > list[at].rank
		list[at].rank = max(rank, list[at].rank)
		return graver
	}
	list = slices.Insert(list, at, firing{a.From.UnixNano(), a.ID, rank})
	if len(list) > maxFirings {
		list = slices.Delete(list, 0, len(list)-maxFirings)
	}
	b.keys[key] = list
	b.sweep(a.From)
	return false
}

func place(list []firing, a *event.Alert) (at int, there bool) {
	return slices.BinarySearchFunc(list, a, func(f firing, a *event.Alert) int {
		return cmp.Or(cmp.Compare(f.from, a.From.UnixNano()), strings.Compare(f.id, a.ID))
	})
}

// sweep forgets keys that have not fired for a day, now and then. The clock is the newest firing.
func (b *Board) sweep(now time.Time) {
	if now.After(b.newest) {
		b.newest = now
	}
	if b.newest.Sub(b.swept) < time.Hour {
		return
	}
	b.swept = b.newest
	for key, list := range b.keys {
		if time.Unix(0, list[len(list)-1].from).Before(b.newest.Add(-Remembered - longest)) {
			delete(b.keys, key)
		}
	}
}

// Of says what an alert is among the firings of its rule and key, at a time.
func (b *Board) Of(a *event.Alert, now time.Time) State {
	if !b.cfg.On() {
		return State{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.keys[keyOf(a)]
	at, there := place(list, a)
	if !there {
		return State{}
	}
	s := b.chain(list, at, now)
	s.Until = time.Unix(0, list[len(list)-1].from).Add(b.cfg.Calm)
	s.Held = s.Held && now.Before(s.Until)
	return s
}

// chain goes through the firings of a day up to one. A key flaps from the firing that is one too many until no other one
// comes for the calm; of those that follow, one that is graver than all since then breaks through.
func (b *Board) chain(list []firing, at int, now time.Time) (s State) {
	flaps, rank, first := false, 0, 0
	for oldest := now.Add(-Remembered).UnixNano(); first < at && list[first].from < oldest; {
		first++
	}
	window := first
	for i := first; i <= at; i++ {
		f := list[i]
		if flaps && i > first && f.from-list[i-1].from >= int64(b.cfg.Calm) {
			flaps = false
		}
		for list[window].from <= f.from-int64(b.cfg.Within) {
			window++
		}
		s = State{Fired: i - window + 1}
		switch {
		case flaps && f.rank <= rank:
			s.Held = true
		case !flaps && s.Fired >= b.cfg.Fires:
			flaps, s.Start, rank = true, true, f.rank
		}
		rank = max(rank, f.rank)
		if !flaps {
			rank = 0
		}
	}
	return s
}

// Flapping counts the keys that flap at a time.
func (b *Board) Flapping(now time.Time) (n int) {
	if !b.cfg.On() {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, list := range b.keys {
		last := len(list) - 1
		if !now.Before(time.Unix(0, list[last].from).Add(b.cfg.Calm)) {
			continue
		}
		if s := b.chain(list, last, now); s.Held || s.Start {
			n++
		}
	}
	return n
}
