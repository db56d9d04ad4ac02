package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"imwatch/detector/backtest"
	"imwatch/detector/engine"
	"imwatch/detector/rule"
	"imwatch/detector/window"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/bus"
	"imwatch/internal/store"
)

// How much a report shows of each list; the rest is counted.
const (
	maxEvents  = 100
	maxNear    = 20
	maxHistory = 20
)

// Request asks about one key of one rule at one instant.
type Request struct {
	Rule *rule.Rule
	Key  []event.KeyPart // a value for each field of group_by, in any order; rule.Missing for a missing one
	At   time.Time
}

// File explains from JSON lines, in order of arrival: what came late for the stream is late here. name is what the
// report calls the source.
func File(ctx context.Context, src io.Reader, name string, q Request) (*Report, error) {
	return arrived(name, q, func(x *explanation) (*backtest.Summary, error) {
		return backtest.ReadLines(ctx, src, name, x)
	})
}

// Topic explains from what a topic holds now, in order of arrival.
func Topic(ctx context.Context, b bus.Bus, topic string, q Request) (*Report, error) {
	return arrived(topic, q, func(x *explanation) (*backtest.Summary, error) {
		return backtest.ReadTopic(ctx, b, topic, x)
	})
}

func arrived(name string, q Request, read func(*explanation) (*backtest.Summary, error)) (*Report, error) {
	x, err := newExplanation(name, q)
	if err != nil {
		return nil, err
	}
	s, err := read(x)
	if err != nil {
		return nil, fmt.Errorf("explaining: %w", err)
	}
	if s.Bad > 0 {
		x.note("%d lines could not be read; the first: %s: %v", s.Bad, s.Examples[0].Place, s.Examples[0].Err)
	}
	return x.report(), nil
}

// Store explains from the events that a store holds. They are read in order of event time, so that none is late; what
// came so late that the stream may have left it out is marked.
func Store(ctx context.Context, reader store.Reader, q Request) (*Report, error) {
	for back := firstBack(q.Rule); ; back *= 4 {
		x, err := newExplanation("store", q)
		if err != nil {
			return nil, err
		}
		var from time.Time
		if reaches := q.At.Add(-back); back > 0 && reaches.Year() > 1970 {
			from = reaches
		}
		exact, err := x.store(ctx, reader, from)
		if err != nil {
			return nil, fmt.Errorf("explaining: %w", err)
		}
		if q.Rule.Detect.Absence != nil {
			x.note("events are read from %s on: a key silent for longer is taken as silent since then", stamp(from))
			exact = true
		}
		if exact || from.IsZero() {
			return x.report(), nil
		}
	}
}

// firstBack gives how far back of the instant to begin reading, 0 for the beginning: where the rule remembers more
// than a window, only its whole past tells its state.
func firstBack(r *rule.Rule) time.Duration {
	if a := r.Detect.Absence; a != nil {
		return 4 * (time.Duration(window.Span(r)) + a.Expect.Learn + r.For + r.Resolve.After)
	}
	if !windowed(r.Detect.Type) {
		return 0
	}
	return 4 * (time.Duration(window.Span(r)) + r.For + r.Resolve.After)
}

// windowed says whether a type's state is what lies in its window and nothing else.
func windowed(name string) bool {
	return slices.Contains([]string{"threshold", "ratio", "metric", "cardinality"}, name)
}

// explanation gathers what a report needs while events pass.
type explanation struct {
	q       Request
	rule    rule.Rule // as it is evaluated
	kind    window.Kind
	unit    string // the values of group_by, as the engine writes them
	key     string // all values; the same but for types that add one
	engine  *engine.Engine
	named   []named // conditions
	span    int64
	end     int64
	changes []*event.Alert
	taken   recent
	near    recent
	late    recent
	out     Report
	read    int
}

var _ backtest.Sink = (*explanation)(nil)

type named struct {
	rule.NamedCondition
	holds func(*event.Event) bool
}

func newExplanation(source string, q Request) (*explanation, error) {
	x := &explanation{
		q: q, rule: *q.Rule, end: q.At.UnixNano(), span: window.Span(q.Rule) + int64(q.Rule.For) + int64(q.Rule.Resolve.After),
		taken: recent{most: maxEvents}, near: recent{most: maxNear}, late: recent{most: maxNear},
	}
	if q.Rule.Status == rule.StatusDisabled {
		x.note("the rule is disabled: nothing evaluates it; this is what it would say")
	}
	x.rule.Status = rule.StatusEnabled
	var err error
	if x.kind, err = window.NewKind(&x.rule); err != nil {
		return nil, fmt.Errorf("explaining: %w", err)
	}
	x.out.Source, x.out.Settings = source, settings(q.Rule)
	if err := x.readKey(); err != nil {
		return nil, err
	}
	for _, c := range q.Rule.Conditions() {
		x.named = append(x.named, named{c, filter.Compile(c.Expr)})
	}
	x.engine, err = engine.New([]*rule.Rule{&x.rule}, engine.Options{File: true, To: window.Add(x.end, 1)})
	if err != nil {
		return nil, fmt.Errorf("explaining: %w", err)
	}
	return x, nil
}

func (x *explanation) note(format string, args ...any) {
	x.out.Notes = append(x.out.Notes, fmt.Sprintf(format, args...))
}

// ErrKey says that a request's key does not fit the rule.
var ErrKey = errors.New("the key does not fit the rule")

// readKey puts the key into the rule's order.
func (x *explanation) readKey() error {
	var names []string
	for _, f := range x.rule.KeyFields() {
		names = append(names, f.Name)
	}
	given := map[string]string{}
	for _, p := range x.q.Key {
		if !slices.Contains(names, p.Field) {
			return fmt.Errorf("%w: found %s, allowed are the fields of the key: %s", ErrKey, p.Field, orNone(names))
		}
		given[p.Field] = p.Value
	}
	var parts []engine.Part
	x.out.Key = map[string]string{}
	for _, name := range names {
		value, ok := given[name]
		if !ok {
			return fmt.Errorf("%w: no value for %s; the key has %s", ErrKey, name, orNone(names))
		}
		parts = append(parts, engine.Part{Text: value, Missing: value == rule.Missing})
		x.out.Key[name] = value
		x.out.keyParts = append(x.out.keyParts, event.KeyPart{Field: name, Value: value})
	}
	for i := range parts {
		if parts[i].Missing {
			parts[i].Text = ""
		}
	}
	x.unit, x.key = engine.MakeKey(parts[:len(x.rule.GroupBy)]), engine.MakeKey(parts)
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none: the rule has one group"
	}
	return strings.Join(names, ", ")
}

// Hold tells the engine that a partition is going to be read.
func (x *explanation) Hold(p int) { x.engine.Hold(p) }

// Release tells the engine that nothing more comes from a partition.
func (x *explanation) Release(p int) { x.engine.Release(p) }

// Observe takes in one record.
func (x *explanation) Observe(p int, ev *event.Event) {
	outcome := x.engine.Observe(p, ev, 0)
	if outcome != engine.Taken && outcome != engine.Late {
		return
	}
	x.see(ev, outcome == engine.Late)
}

// Advance evaluates what can be.
func (x *explanation) Advance() error {
	x.keep(x.engine.Advance())
	return nil
}

// keep notes the state changes of the key.
func (x *explanation) keep(alerts []*event.Alert) {
	for _, a := range alerts {
		if a.RuleID == x.rule.ID && slices.Equal(a.Key, x.out.keyParts) {
			x.changes = append(x.changes, a)
		}
	}
}

// see notes one event, if it belongs to the key and lies before the instant.
func (x *explanation) see(ev *event.Event, late bool) {
	at := ev.UnixNano()
	if at > x.end || !slices.Contains(engine.KeysOf(&x.rule, ev), x.unit) {
		return
	}
	x.read++
	s := Seen{Time: ev.Text(event.FieldTimestamp), ID: ev.ID(), Weight: ev.Weight(), at: at}
	for _, c := range x.named {
		if c.holds(ev) {
			s.Matches = append(s.Matches, c.Path)
		}
	}
	_, wanted := x.kind.See(ev)
	wanted = wanted && x.rule.Takes(at)
	if !wanted {
		s.Fails = x.fails(ev)
	}
	if in, ok := ev.Get(event.FieldEventIngested); ok && x.out.Source == "store" {
		if delay := in.UnixNano() - at; delay > int64(x.rule.Time.Lateness) && wanted {
			s.Note = fmt.Sprintf("stored %s after it happened", rule.FormatDuration(time.Duration(delay)))
		}
	}
	switch {
	case late:
		x.late.add(s)
	case wanted:
		x.taken.add(s)
	default:
		x.near.add(s)
	}
}

// fails says why the rule does not take an event.
func (x *explanation) fails(ev *event.Event) []Failure {
	all := failures(x.rule.Where, ev)
	if len(all) == 0 {
		all = failures(x.kind.Selects, ev)
	}
	if !x.rule.Takes(ev.UnixNano()) {
		all = append(all, Failure{KQL: "when: " + x.out.Settings.When, Found: ev.Text(event.FieldTimestamp)})
	}
	return all
}

// store reads the key's events from an instant on. exact says that what came before cannot matter.
func (x *explanation) store(ctx context.Context, reader store.Reader, from time.Time) (exact bool, err error) {
	settled, checked := window.None, from.IsZero()
	if !checked {
		settled = window.Add(from.UnixNano(), x.span)
	}
	settle := func() {
		if !checked {
			checked = true
			x.keep(x.engine.AdvanceTo(min(settled, x.end)))
			exact = x.idle()
		}
	}
	n := 0
	for _, q := range x.queries(from) {
		for hit, err := range reader.Search(ctx, q) {
			if err != nil {
				return false, fmt.Errorf("reading the store: %w", err)
			}
			var ev event.Event
			if err := hit.Decode(&ev); err != nil {
				x.note("%s %s cannot be read: %v", hit.Index, hit.ID, err)
				continue
			}
			if ev.UnixNano() >= settled {
				settle()
			}
			x.take(&ev, hit.ID)
			if n++; n%256 == 0 {
				x.keep(x.engine.AdvanceTo(ev.UnixNano()))
			}
		}
	}
	settle()
	if exact || from.IsZero() {
		return exact, nil
	}
	earlier, err := reader.Count(ctx, store.Query{Indices: event.EventIndices, To: from, Where: filter.And{x.keyFilter(), x.kind.Selects}})
	if err != nil {
		return false, fmt.Errorf("looking for earlier events: %w", err)
	}
	return earlier == 0, nil
}

func (x *explanation) take(ev *event.Event, id string) {
	if ev.IsWatermark() {
		return
	}
	if ev.ID() == "" {
		ev.SetText(event.FieldEventID, id)
	}
	if x.engine.Take(ev, x.ours) == engine.Taken {
		x.see(ev, false)
	}
}

// queries ask for what the rule takes of the key, and near the instant for everything of the key.
func (x *explanation) queries(from time.Time) []store.Query {
	near := time.Unix(0, window.Add(x.end, -x.span)).UTC()
	if near.Before(from) || x.span > x.end {
		near = from
	}
	all := []store.Query{{Indices: event.EventIndices, From: near, To: time.Unix(0, window.Add(x.end, 1)).UTC(), Where: x.keyFilter()}}
	if near.After(from) {
		all = append([]store.Query{{Indices: event.EventIndices, From: from, To: near, Where: filter.And{x.keyFilter(), x.kind.Selects}}}, all...)
	}
	return all
}

// ours says whether a key of the engine is the one asked about: with all of its values, or with those of group_by.
func (x *explanation) ours(key string) bool {
	return x.rule.Detect.Absence != nil || key == x.unit || key == x.key
}

func (x *explanation) idle() bool { return x.engine.Idle(x.key) && x.engine.Idle(x.unit) }

// keyFilter selects the key's events, or more where the store cannot compare a field as a whole.
func (x *explanation) keyFilter() filter.Expr {
	all := filter.And{}
	if x.rule.Detect.Absence != nil {
		return all // any event moves the clock, and the key may have none
	}
	for i, f := range x.rule.GroupBy {
		value := x.out.keyParts[i].Value
		if f.Type == event.Text {
			continue
		}
		if value == rule.Missing {
			all = append(all, filter.Not{X: filter.Exists{Field: f}})
		} else if v, ok := event.Parse(f.Type, value); ok {
			all = append(all, filter.Equal{Field: f, Value: v})
		}
	}
	return all
}

// recent keeps the newest of what is added, in order of time and id.
type recent struct {
	most int
	list []Seen
	left int // how many older ones were dropped
}

func (r *recent) add(s Seen) {
	r.list = append(r.list, s)
	if len(r.list) >= 4*r.most {
		r.trim()
	}
}

func (r *recent) trim() {
	slices.SortStableFunc(r.list, func(a, b Seen) int { return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.ID, b.ID)) })
	if over := len(r.list) - r.most; over > 0 {
		r.left += over
		r.list = slices.Delete(r.list, 0, over)
	}
}

// since gives what is kept from an instant on, and how many of those were dropped at most.
func (r *recent) since(at int64) ([]Seen, int) {
	r.trim()
	i, _ := slices.BinarySearchFunc(r.list, at, func(s Seen, at int64) int { return cmp.Compare(s.at, at) })
	if i > 0 {
		return append([]Seen{}, r.list[i:]...), 0
	}
	return append([]Seen{}, r.list...), r.left
}
