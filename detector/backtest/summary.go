package backtest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"imwatch/detector/engine"
	"imwatch/detector/query"
	"imwatch/detector/rule"
	"imwatch/event"
)

// maxExamples is how many unreadable lines a summary shows; all are counted.
const maxExamples = 20

// Summary is what a backtest says of itself.
type Summary struct {
	Name       string // of the source
	Events     int    // taken in
	Watermarks int
	Repeats    int // an event.id that came before
	Ranged     int // outside From and To
	Bad        int // lines that could not be read
	Examples   []BadLine
	Late       map[string]map[string]int // by rule and node: wanted by the rule but too late
	Overflow   map[string]int            // by rule: keys past limits.keys
	Lost       map[string]int            // by rule: events not taken in, and keys given up, for want of any room
	Alerts     map[string]map[string]int // by rule and state
	Faults     []error                   // alerts whose texts could not be made
	Costs      []RuleCost                // what the query evaluator took of the store
	Took       time.Duration
	Diff       *Diff  // nil where nothing was to be compared
	Against    string // with what
}

// RuleCost is what one rule took of the store.
type RuleCost struct {
	RuleID string
	query.Cost
}

// BadLine is a line that could not be read.
type BadLine struct {
	Place string // "line 12", "partition 0 offset 12", an id
	Err   error
}

func newSummary(name string) *Summary {
	return &Summary{Name: name, Late: map[string]map[string]int{}, Overflow: map[string]int{}, Lost: map[string]int{}, Alerts: map[string]map[string]int{}}
}

func (s *Summary) count(o engine.Outcome) {
	switch o {
	case engine.Taken, engine.Late:
		s.Events++
	case engine.Repeat:
		s.Repeats++
	case engine.Ranged:
		s.Ranged++
	case engine.Progress:
		s.Watermarks++
	case engine.Useless:
		s.bad("", errors.New("a watermark needs service.node.name and im.pipeline.shipped_until"))
	}
}

func (s *Summary) bad(place string, err error) {
	s.Bad++
	if len(s.Examples) < maxExamples {
		s.Examples = append(s.Examples, BadLine{place, err})
	}
}

func (s *Summary) late(r *rule.Rule, node string, _ int64) { add(s.Late, r.ID, node) }

func (s *Summary) overflow(r *rule.Rule) { s.Overflow[r.ID]++ }

func (s *Summary) lost(r *rule.Rule) { s.Lost[r.ID]++ }

func (s *Summary) fault(err error) {
	if len(s.Faults) < maxExamples {
		s.Faults = append(s.Faults, err)
	}
}

func (s *Summary) alert(a *event.Alert) { add(s.Alerts, a.RuleID, a.State) }

func add(m map[string]map[string]int, a, b string) {
	if m[a] == nil {
		m[a] = map[string]int{}
	}
	m[a][b]++
}

// WriteText writes the summary for people.
func (s *Summary) WriteText(w io.Writer) error {
	p := printer{w: w}
	for _, b := range s.Examples {
		p.line("%s: %s: %v", s.Name, b.Place, b.Err)
	}
	if more := s.Bad - len(s.Examples); more > 0 {
		p.line("%s: %d more lines that cannot be read", s.Name, more)
	}
	for _, err := range s.Faults {
		p.line("%v", err)
	}
	p.line("%s: %d events, %d watermarks, %d repeats, %d out of range, %d unreadable in %v (%.0f events/s)", s.Name,
		s.Events, s.Watermarks, s.Repeats, s.Ranged, s.Bad, s.Took.Round(time.Millisecond), float64(s.Events)/max(s.Took.Seconds(), 1e-9))
	for _, id := range slices.Sorted(maps.Keys(s.Late)) {
		for _, node := range slices.Sorted(maps.Keys(s.Late[id])) {
			p.line("late: %d events of node %q came too late for rule %s", s.Late[id][node], node, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.Overflow)) {
		p.line("overflow: rule %s had %d keys more than limits.keys; its alerts that say degraded may be over-counted", id, s.Overflow[id])
	}
	for _, id := range slices.Sorted(maps.Keys(s.Lost)) {
		p.line("lost: %d times rule %s had no room for a key even past limits.keys", s.Lost[id], id)
	}
	for _, c := range s.Costs {
		p.line("%s: %d keys looked at, %d candidates, %d events fetched", c.RuleID, c.Keys, c.Candidates, c.Events)
	}
	total := 0
	for _, id := range slices.SortedFunc(maps.Keys(s.Alerts), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Alerts[b][event.StateFiring], s.Alerts[a][event.StateFiring]), cmp.Compare(a, b))
	}) {
		n := s.Alerts[id]
		total += n[event.StateFiring]
		p.line("%s: %d firing, %d updated, %d resolved", id, n[event.StateFiring], n[event.StateUpdated], n[event.StateResolved])
	}
	p.line("%d alerts", total)
	if s.Diff != nil {
		s.Diff.write(&p, s.Against)
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil {
			p.err = fmt.Errorf("writing the summary: %w", err)
		}
	}
}
