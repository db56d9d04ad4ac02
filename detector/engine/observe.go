package engine

import (
	"strings"

	"imwatch/event"
)

// Outcome is what became of an event.
type Outcome uint8

// What becomes of an event.
const (
	Taken    Outcome = iota // in the buffer, if a rule wants it
	Repeat                  // an event with this id came before
	Late                    // before the watermark of every lane
	Ranged                  // outside Options.From and To
	Progress                // a watermark or a canary: not an event
	Useless                 // a watermark without node or instant
)

// Observe takes in one record of a partition: an event or a watermark. wall is the wall time of its arrival, needed
// only where Tick is called. The event is not kept.
func (e *Engine) Observe(partition int, ev *event.Event, wall int64) Outcome {
	if ev.IsWatermark() {
		return e.shipped(partition, ev, wall)
	}
	at, node := ev.UnixNano(), ev.Node()
	e.tooLate = e.tooLate[:0]
	for _, l := range e.lanes {
		e.tooLate = append(e.tooLate, l.mark.Late(partition, at))
		l.mark.Event(partition, node, at, wall)
	}
	e.greatest = max(e.greatest, at)
	if e.options.From != 0 && at < e.options.From || e.options.To != 0 && at >= e.options.To {
		return Ranged
	}
	if !e.seen.Add(at, ev.ID()) {
		return Repeat
	}
	e.epoch++
	all := true
	for i, l := range e.lanes {
		if e.tooLate[i] {
			e.late(l, ev, node)
			continue
		}
		all = false
		e.buffer(l, ev, at, nil)
	}
	if all {
		return Late
	}
	return Taken
}

// Take takes in an event of which it is known that it comes in time, whatever clocks say: what a store answers. keep
// says for which keys, see MakeKey; nil: for all. The event is not kept.
func (e *Engine) Take(ev *event.Event, keep func(key string) bool) Outcome {
	at := ev.UnixNano()
	e.greatest = max(e.greatest, at)
	if !e.seen.Add(at, ev.ID()) {
		return Repeat
	}
	e.epoch++
	for _, l := range e.lanes {
		e.buffer(l, ev, at, keep)
	}
	return Taken
}

func (e *Engine) shipped(partition int, ev *event.Event, wall int64) Outcome {
	if ev.Action() == event.ActionCanary.Code {
		return Progress // it says nothing of anybody's clock
	}
	until, ok := ev.Get(event.FieldPipelineShippedUntil)
	node := ev.Node()
	if !ok || node == "" {
		return Useless
	}
	for _, l := range e.lanes {
		l.mark.Shipped(partition, node, until.UnixNano(), wall)
	}
	return Progress
}

func (e *Engine) late(l *lane, ev *event.Event, node string) {
	l.dispatch.each(ev, func(r *runner) {
		if _, wanted := r.kind.See(ev); !wanted {
			return
		}
		r.usage.Late++
		if e.options.Late != nil {
			e.options.Late(r.rule, node, ev.UnixNano())
		}
	})
}

// buffer puts what the rules of a lane want of an event into its buffer.
func (e *Engine) buffer(l *lane, ev *event.Event, at int64, keep func(string) bool) {
	var it *item
	l.dispatch.each(ev, func(r *runner) {
		t, wanted := r.takes(ev, keep)
		if !wanted {
			return
		}
		if it == nil {
			it = l.newItem()
			it.at, it.weight = at, ev.Weight()
			it.id = strings.Clone(ev.ID()) // or it would hold the whole line
			it.text = e.letters(ev, at)
		}
		it.takes = append(it.takes, t)
	})
	if it != nil {
		l.buffer.Push(at, it.id, it)
	}
}

// takes says what the rule takes of an event, and whether anything.
func (r *runner) takes(ev *event.Event, keep func(string) bool) (take, bool) {
	sight, wanted := r.kind.See(ev)
	if !wanted {
		return take{}, false
	}
	t := take{run: r, sight: sight}
	var cut bool
	t.key, t.more, cut = r.space.of(ev, r.engine.epoch)
	if cut {
		r.overflow()
	}
	if keep != nil && !t.only(keep) {
		return take{}, false
	}
	if !sight.Passive {
		t.tags = r.tags(ev)
	}
	r.usage.took(ev.UnixNano())
	return t, true
}

// only leaves those keys that keep wants, and says whether there is one.
func (t *take) only(keep func(string) bool) bool {
	var kept []string
	for _, key := range append([]string{t.key}, t.more...) {
		if keep(key) {
			kept = append(kept, key)
		}
	}
	if len(kept) == 0 {
		return false
	}
	t.key, t.more = kept[0], kept[1:]
	return true
}

// letters gives an event's instant as it came, "" where it is printed like that anyway.
func (e *Engine) letters(ev *event.Event, at int64) string {
	text := ev.Text(event.FieldTimestamp)
	if len(text) == len("2006-01-02T15:04:05.000Z") && text[19] == '.' && text[23] == 'Z' {
		return "" // nearly all look like this, and printing takes its time
	}
	if e.scratch = event.AppendTime(e.scratch[:0], instant(at)); text == string(e.scratch) {
		return ""
	}
	return strings.Clone(text)
}
