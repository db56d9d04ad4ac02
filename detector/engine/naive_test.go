package engine_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// The naive evaluator: the contract's words, written down for clarity. It looks at all events of a key anew for every
// instant, knows no order of arrival and keeps nothing but the spell.

type change struct {
	at       time.Duration
	state    string
	key      string
	value    float64
	from     time.Duration
	first    string
	severity string
}

func (c change) String() string {
	return fmt.Sprintf("%v %s [%s] value %v from %v first %q %s", c.at, c.state, c.key, c.value, c.from, c.first, c.severity)
}

// naive evaluates one rule over events up to the instant end, included.
func naive(r *rule.Rule, events []*event.Event, end time.Time) []change {
	events = slices.Clone(events)
	sort.SliceStable(events, func(i, j int) bool {
		a, b := events[i], events[j]
		return a.UnixNano() < b.UnixNano() || a.UnixNano() == b.UnixNano() && a.ID() < b.ID()
	})
	byKey := map[string][]*event.Event{}
	start := int64(1 << 62)
	if len(events) > 0 {
		start = events[0].UnixNano()
	}
	for _, e := range events {
		if r.When != nil && r.Detect.Absence == nil && r.When.Calendar.In(e.UnixNano()) != r.When.Inside {
			continue
		}
		for _, k := range naiveKeys(r.GroupBy, e) {
			byKey[k] = append(byKey[k], e)
		}
	}
	kind := naiveKindOf(r, start)
	if kind.expected != nil {
		only := map[string][]*event.Event{}
		for _, key := range kind.expected(r) {
			only[key] = byKey[key]
		}
		byKey = only
	}
	var all []change
	for key, own := range byKey {
		for suffix, kind := range naiveValues(r, kind, own) {
			n := &naiveKey{kind: kind, rule: r, key: key + suffix, events: own, end: end.UnixNano()}
			n.run()
			all = append(all, n.changes...)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		return all[i].at < all[j].at || all[i].at == all[j].at && all[i].key < all[j].key
	})
	return all
}

// naiveValues gives what a key of group_by is evaluated for: for itself, or for each value of its events.
func naiveValues(r *rule.Rule, kind naiveKind, events []*event.Event) map[string]naiveKind {
	if kind.valued == nil {
		return map[string]naiveKind{"": kind}
	}
	kinds := map[string]naiveKind{}
	for _, e := range events {
		for _, v := range naiveTexts(r.Detect.NewTerm.Field, e) {
			kinds["/"+v] = kind.valued(v)
		}
	}
	return kinds
}

func naiveKeys(fields []filter.Field, e *event.Event) []string {
	keys := []string{""}
	for _, f := range fields {
		texts := []string{rule.Missing}
		if v, ok := f.Value(e); ok {
			texts = nil
			v.Each(func(v event.Value) bool {
				if !slices.Contains(texts, v.Text) {
					texts = append(texts, v.Text)
				}
				return true
			})
		}
		var next []string
		for _, k := range keys {
			for _, t := range texts {
				next = append(next, k+"/"+t)
			}
		}
		keys = next
	}
	return keys
}

type naiveKey struct {
	kind    naiveKind
	rule    *rule.Rule
	key     string
	events  []*event.Event // all of the key, whatever the rule matches, in order
	end     int64
	changes []change

	holding, told   bool
	instants        []int64 // what kind.instants gives
	missed          bool    // it was to fire outside the calendar
	begin           int64
	first           string
	ceased          int64
	toldValue       float64
	toldSeverity    string
	firesAt, endsAt int64 // deadlines, 0: none
}

func (n *naiveKey) run() {
	for t := n.nextInstant(-1 << 62); t <= n.end && t != 1<<62; t = n.nextInstant(t) {
		n.at(t)
	}
}

// at is everything that happens at one instant: what enters, each with a look; else one look at what has left.
func (n *naiveKey) at(t int64) {
	entered := false
	for i, e := range n.events {
		if e.UnixNano() == t && n.kind.enters(n.rule, e) {
			entered = true
			v, holds := n.kind.truth(n.rule, n.events[:i+1], t, false)
			n.look(t, v, holds, e.ID())
		}
	}
	v, holds := n.kind.truth(n.rule, n.until(t), t, true)
	idle := n.kind.idle != nil && n.kind.idle(n.rule, n.until(t), t)
	if !entered && !idle || n.kind.ends != nil && n.kind.ends(n.rule, n.until(t), t) {
		n.look(t, v, holds, "")
	}
	n.deadlines(t, v)
}

// until gives the events up to an instant.
func (n *naiveKey) until(t int64) []*event.Event {
	i := sort.Search(len(n.events), func(i int) bool { return n.events[i].UnixNano() > t })
	return n.events[:i]
}

// nextInstant gives the first instant after t at which something enters, leaves or is due.
func (n *naiveKey) nextInstant(t int64) int64 {
	next := int64(1 << 62)
	consider := func(at int64) {
		if at > t && at < next {
			next = at
		}
	}
	for _, e := range n.events {
		if !n.kind.enters(n.rule, e) {
			continue
		}
		consider(e.UnixNano())
		for _, after := range n.kind.after(n.rule) {
			consider(e.UnixNano() + int64(after))
		}
	}
	if n.kind.instants != nil && n.instants == nil {
		n.instants = n.kind.instants(n.rule, n.events)
		slices.Sort(n.instants)
	}
	if i, _ := slices.BinarySearch(n.instants, t+1); i < len(n.instants) {
		consider(n.instants[i])
	}
	if n.kind.expected != nil {
		for _, after := range n.kind.after(n.rule) {
			consider(n.kind.start + int64(after))
		}
	}
	if n.firesAt != 0 {
		consider(n.firesAt)
	}
	if n.endsAt != 0 {
		consider(n.endsAt)
	}
	return next
}

func (n *naiveKey) look(t int64, v float64, now bool, id string) {
	switch {
	case n.missed && now:
	case now && !n.told && !n.holding:
		n.holding, n.begin, n.first = true, t, id
		if n.firesAt = t + int64(n.rule.For); n.rule.For == 0 {
			n.fire(t, v)
		}
	case now && n.told:
		n.holding, n.endsAt = true, 0
		if sev := n.rule.SeverityAt(v); n.rises(sev) || v >= 2*n.toldValue && v > n.toldValue {
			if n.rises(sev) {
				n.toldSeverity = sev
			}
			n.toldValue = v
			n.tell(t, event.StateUpdated, v)
		}
	case !now && n.told && n.holding:
		n.holding, n.ceased, n.endsAt = false, t, t+int64(n.rule.Resolve.After)
	case !now && !n.told:
		n.holding, n.firesAt, n.missed = false, 0, false
	}
	if now && n.rule.Detect.Instant() { // it has last held now
		n.holding, n.ceased, n.endsAt = false, t, t+int64(n.rule.Resolve.After)
	}
}

func (n *naiveKey) rises(sev string) bool {
	return slices.Index(event.Severities(), sev) > slices.Index(event.Severities(), n.toldSeverity)
}

func (n *naiveKey) deadlines(t int64, v float64) {
	if n.firesAt == t && n.holding && !n.told {
		n.fire(t, v)
	}
	if n.endsAt == t && n.told && !n.holding {
		if n.rule.Detect.Instant() {
			v = n.toldValue // nothing is compared
		}
		n.tell(t, event.StateResolved, v)
		n.told, n.endsAt = false, 0
	}
}

func (n *naiveKey) fire(t int64, v float64) {
	if w := n.rule.When; w != nil && n.rule.Detect.Absence != nil && w.Calendar.In(t) != w.Inside {
		n.missed, n.firesAt = true, 0
		return
	}
	n.told, n.firesAt, n.toldValue, n.toldSeverity = true, 0, v, n.rule.SeverityAt(v)
	n.tell(t, event.StateFiring, v)
}

func (n *naiveKey) tell(t int64, state string, v float64) {
	n.changes = append(n.changes, change{
		at: time.Duration(t - base.UnixNano()), state: state, key: n.key, value: v,
		from: time.Duration(n.begin - base.UnixNano()), first: n.first, severity: n.toldSeverity,
	})
}

// changesOf gives the engine's alerts in the naive evaluator's form.
func changesOf(alerts []*event.Alert) []change {
	var cs []change
	for _, a := range alerts {
		var key strings.Builder
		for _, p := range a.Key {
			key.WriteString("/" + p.Value)
		}
		cs = append(cs, change{
			at: a.Time.Sub(base), state: a.State, key: key.String(), value: a.Value, from: a.From.Sub(base),
			first: a.FirstEvent, severity: a.Severity,
		})
	}
	sort.SliceStable(cs, func(i, j int) bool {
		return cs[i].at < cs[j].at || cs[i].at == cs[j].at && cs[i].key < cs[j].key
	})
	return cs
}
