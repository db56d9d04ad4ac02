package detector

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/event"
)

// board is what can be told about the rules while they run. Safe for concurrent use: the loop and the queries write
// it, who asks reads it.
type board struct {
	mu      sync.Mutex
	entries map[string]*entry // guarded by mu, and what they point to
	refused []refusal         // guarded by mu
	used    time.Time         // guarded by mu: when usage was taken
}

// entry is what is known of one rule since it was loaded.
type entry struct {
	rule      *rule.Rule
	print     string
	loaded    time.Time
	usage     engine.Usage
	alerts    map[string]uint64 // by state
	last      *event.Alert
	lastErr   string
	lastErrAt time.Time
	query     *QueryRun
}

func newBoard() *board { return &board{entries: map[string]*entry{}} }

// loaded takes the rules that run from now on. What is known of those that decide the same as before is kept.
func (b *board) loaded(rules []*rule.Rule, refused []refusal, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := map[string]*entry{}
	for _, r := range rules {
		e := b.entries[r.ID]
		if e == nil || e.print != r.Fingerprint() {
			e = &entry{print: r.Fingerprint(), alerts: map[string]uint64{}}
		}
		if e.rule != r {
			e.rule, e.loaded = r, now
		}
		next[r.ID] = e
	}
	b.entries, b.refused = next, slices.Clone(refused)
}

// told takes state changes that were produced.
func (b *board) told(alerts []*event.Alert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range alerts {
		if e := b.entries[a.RuleID]; e != nil {
			e.alerts[a.State]++
			e.last = a
		}
	}
}

// failed takes an error that names its rule.
func (b *board) failed(err error, at time.Time) {
	fault, ok := errors.AsType[*engine.RuleError](err)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[fault.RuleID]; e != nil {
		e.lastErr, e.lastErrAt = err.Error(), at
	}
}

// queried takes what a query has done.
func (b *board) queried(ruleID string, run QueryRun) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[ruleID]
	if e == nil {
		return
	}
	e.query = &run
	if run.Err != nil {
		e.lastErr, e.lastErrAt = run.Err.Error(), run.At
	}
}

// use takes what the rules have taken of the engine.
func (b *board) use(usage map[string]engine.Usage, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = now
	for id, u := range usage {
		if e := b.entries[id]; e != nil {
			e.usage = u
		}
	}
}

// sorted gives the entries in order of id. mu is held.
func (b *board) sorted() []*entry {
	all := make([]*entry, 0, len(b.entries))
	for _, e := range b.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y *entry) int { return strings.Compare(x.rule.ID, y.rule.ID) })
	return all
}
