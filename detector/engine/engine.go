package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/filter"
)

// Options say how an engine is driven. The zero Options are those of a stream.
type Options struct {
	// File makes the clock of rules end at the greatest event time seen, as it does for a file: watermarks and Finish
	// never evaluate beyond.
	File bool
	// From and To bound the events that are taken in, From included, To not; 0: open. With To the clock never passes it.
	From, To int64
	// Shard and Shards make the engine evaluate only the keys of one of so many shards; 0 Shards: all keys.
	Shard, Shards int

	// The functions below are told what happens beside alerts; each may be nil.

	Late     func(r *rule.Rule, node string, at int64) // a late event that the rule wants; it is not taken in
	Overflow func(r *rule.Rule)                        // a key for which limits.keys leaves no room: it shares a sketch, or is exact for a while
	Lost     func(r *rule.Rule)                        // an event that is not taken in, or a key that is given up, for want of any room
	Fault    func(error)                               // an alert whose texts could not be made, a *RuleError; it goes out without them

	// Stopwatch gives nanoseconds of a clock that only goes forward; nil: what rules cost is not measured.
	Stopwatch func() int64
}

// Engine evaluates a set of rules. Make it with New or Restore. Not safe for concurrent use.
type Engine struct {
	options  Options
	lanes    []*lane // the one with the least idle first; never empty
	seen     *window.Seen
	spaces   map[string]*keyspace
	alerts   []*event.Alert
	greatest int64 // event time
	epoch    uint64
	tooLate  []bool // by lane, of the event at hand
	scratch  []byte

	witnesses window.Witnesses
	atHand    *window.Witness // of the event at hand, when seenAt is its epoch
	seenAt    uint64
	sources   sources
}

// New makes an engine for rules. Disabled ones are left out. The error names a rule that has no evaluator.
func New(rules []*rule.Rule, o Options) (*Engine, error) {
	e := &Engine{
		options: o, seen: window.NewSeen(0), spaces: map[string]*keyspace{}, greatest: window.None, sources: sources{},
	}
	if err := e.SetRules(rules); err != nil {
		return nil, err
	}
	return e, nil
}

// SetRules puts other rules in the place of those so far. Rules that decide the same keep their state; alerts of those
// that are gone or decide otherwise are resolved, and their successors begin with the next event. On an error nothing
// has changed.
func (e *Engine) SetRules(rules []*rule.Rule) error {
	plan, err := e.plan(rules)
	if err != nil {
		return err
	}
	for _, l := range e.lanes {
		for _, r := range l.runners {
			if !plan.kept[r] {
				r.retire()
			}
		}
	}
	for r, to := range plan.adopted {
		r.adopt(to)
	}
	for _, l := range plan.lanes {
		l.runners = plan.runners[l]
		l.dispatch = newDispatch(l.runners)
	}
	e.lanes = plan.lanes
	e.forgetRetired(plan.kept)
	for _, l := range e.lanes {
		l.catchUp()
	}
	e.seen.Keep(longest(rules))
	return nil
}

// plan is what SetRules is going to do.
type plan struct {
	lanes   []*lane
	runners map[*lane][]*runner
	kept    map[*runner]bool
	adopted map[*runner]*rule.Rule
}

func (e *Engine) plan(rules []*rule.Rule) (*plan, error) {
	running := map[string]*runner{}
	for _, l := range e.lanes {
		for _, r := range l.runners {
			running[r.rule.ID] = r
		}
	}
	p := &plan{runners: map[*lane][]*runner{}, kept: map[*runner]bool{}, adopted: map[*runner]*rule.Rule{}}
	for _, r := range rules {
		if r.Status == rule.StatusDisabled {
			continue
		}
		l := e.laneFor(p, int64(r.Time.Lateness), int64(r.Time.Idle))
		run := running[r.ID]
		if run == nil || run.fingerprint != r.Fingerprint() {
			var err error
			if run, err = newRunner(e, l, r); err != nil {
				return nil, fmt.Errorf("setting rules: %w", err)
			}
		} else {
			p.adopted[run] = r
		}
		p.kept[run] = true
		p.runners[l] = append(p.runners[l], run)
	}
	if len(p.lanes) == 0 { // clocks go on without rules
		e.laneFor(p, int64(rule.DefaultLateness), int64(rule.DefaultIdle))
	}
	slices.SortStableFunc(p.lanes, func(a, b *lane) int {
		return cmp.Or(cmp.Compare(a.idle, b.idle), cmp.Compare(a.lateness, b.lateness))
	})
	return p, nil
}

// laneFor gives the lane of the plan with these spans: one that runs, or a new one that knows the same clocks.
func (e *Engine) laneFor(p *plan, lateness, idle int64) *lane {
	same := func(l *lane) bool { return l.lateness == lateness && l.idle == idle }
	if i := slices.IndexFunc(p.lanes, same); i >= 0 {
		return p.lanes[i]
	}
	var l *lane
	if i := slices.IndexFunc(e.lanes, same); i >= 0 {
		l = e.lanes[i]
	} else {
		if len(e.lanes) > 0 {
			l = e.lanes[0].like(lateness, idle)
		} else {
			l = newLane(lateness, idle, window.NewWatermark(lateness, idle))
		}
	}
	p.lanes = append(p.lanes, l)
	return l
}

// forgetRetired takes what rules no longer running wanted out of the buffers.
func (e *Engine) forgetRetired(kept map[*runner]bool) {
	for _, l := range e.lanes {
		l.buffer.Each(func(it *item) {
			it.takes = slices.DeleteFunc(it.takes, func(t take) bool { return !kept[t.run] })
		})
		l.timers = slices.DeleteFunc(l.timers, func(t timer) bool { return !kept[t.run] })
		rest := l.timers
		l.timers = nil
		for _, t := range rest {
			l.timers.push(t)
		}
	}
}

func longest(rules []*rule.Rule) int64 {
	span := int64(0)
	for _, r := range rules {
		span = max(span, window.Span(r))
	}
	return span
}

// space gives the keyspace of fields.
func (e *Engine) space(fields []filter.Field) *keyspace {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	name := fmt.Sprintf("%q", names)
	s := e.spaces[name]
	if s == nil {
		s = newKeyspace(fields)
		e.spaces[name] = s
	}
	return s
}

// Hold says that a partition is going to be read, so that nothing is evaluated before its events are known.
func (e *Engine) Hold(partition int) {
	for _, l := range e.lanes {
		l.mark.Hold(partition)
	}
}

// Release says that nothing more will come from a partition: it holds nothing up any longer.
func (e *Engine) Release(partition int) {
	for _, l := range e.lanes {
		l.mark.Release(partition)
	}
}

// Tick tells the wall time, for nodes that are not heard of. behind says which partitions have messages that were not
// read yet. Never call it for a file.
func (e *Engine) Tick(wall int64, behind func(partition int) bool) {
	for _, l := range e.lanes {
		l.mark.Tick(wall, behind)
	}
}

// Resume tells the wall time after a restart: the time away was nobody's silence.
func (e *Engine) Resume(wall int64) {
	for _, l := range e.lanes {
		l.mark.Resume(wall)
	}
}

// Advance evaluates everything that the watermark has passed and gives the state changes, in order of event time, then
// rule and key.
func (e *Engine) Advance() []*event.Alert {
	least := window.Never
	for _, l := range e.lanes {
		l.run(min(l.mark.Now(), e.end()))
		least = min(least, l.mark.Now())
	}
	e.seen.Forget(least)
	e.tellSources()
	return e.drain()
}

// AdvanceTo evaluates everything before an instant, whatever the watermark says, and gives the state changes: for
// events that come in order, from a store.
func (e *Engine) AdvanceTo(at int64) []*event.Alert {
	for _, l := range e.lanes {
		l.run(at)
	}
	e.seen.Forget(at)
	return e.drain()
}

// Finish evaluates everything up to and including the instant to, whatever the watermark says, and gives the state
// changes. Events that come afterwards and lie before it are lost: it is for the end of a file.
func (e *Engine) Finish(to int64) []*event.Alert {
	for _, l := range e.lanes {
		l.run(window.Add(to, 1))
	}
	e.tellSources()
	return e.drain()
}

// Watermark gives the instant up to which all rules are evaluated: no state change before it will follow. It is
// window.None before the first.
func (e *Engine) Watermark() int64 {
	least := window.Never
	for _, l := range e.lanes {
		least = min(least, l.clock)
	}
	return least
}

// Clocks says how far the engine has come, in a measure that does not depend on how long its rules wait. Both are
// window.None before the first event.
func (e *Engine) Clocks() Clocks {
	c := Clocks{Slowest: window.Never, Event: window.None}
	for _, l := range e.lanes {
		if l.clock == window.None {
			return Clocks{window.None, window.None}
		}
		c.Slowest = min(c.Slowest, window.Add(l.clock, l.lateness+max(0, l.idle-int64(rule.DefaultIdle))))
		c.Event = max(c.Event, l.clock)
	}
	return c
}

// Clocks says how far an engine has come.
type Clocks struct {
	Slowest int64 // the least clock of a node that counts, where rules wait longer for silent nodes that much later
	Event   int64 // events before it have been evaluated by the rules that wait least
}

// Greatest gives the greatest event time seen, window.None without any.
func (e *Engine) Greatest() int64 { return e.greatest }

// Keys gives how many keys each rule keeps state for.
func (e *Engine) Keys() map[string]int {
	keys := map[string]int{}
	for _, l := range e.lanes {
		for _, r := range l.runners {
			keys[r.rule.ID] = r.live
		}
	}
	return keys
}

// end gives the first instant that the clock must not reach.
func (e *Engine) end() int64 {
	end := window.Never
	if e.options.To != 0 {
		end = window.Add(e.options.To, 1)
	} else if e.options.File {
		end = window.Add(e.greatest, 1)
	}
	return end
}

func (e *Engine) drain() []*event.Alert {
	alerts := e.alerts
	e.alerts = nil
	slices.SortStableFunc(alerts, Order)
	return alerts
}

// Order compares state changes by event time, then rule and key. Those that it finds equal are in the order in which
// they happened.
func Order(a, b *event.Alert) int {
	return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.RuleID, b.RuleID),
		slices.CompareFunc(a.Key, b.Key, func(x, y event.KeyPart) int { return strings.Compare(x.Value, y.Value) }))
}
