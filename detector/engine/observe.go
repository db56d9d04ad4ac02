package engine

import (
	"slices"
	"strings"

	"imwatch/detector/window"
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
		l.sees(at)
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
		l.sees(at)
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
	e.Shipped(partition, node, until.UnixNano(), wall)
	return Progress
}

func (e *Engine) late(l *lane, ev *event.Event, node string) {
	for _, runners := range l.dispatch.of(ev) {
		for _, r := range runners {
			if _, wanted := r.sees(ev); !wanted || !r.ownsAny(ev) {
				continue
			}
			r.usage.Late++
			if e.options.Late != nil {
				e.options.Late(r.rule, node, ev.UnixNano())
			}
		}
	}
}

// buffer puts what the rules of a lane want of an event into its buffer.
func (e *Engine) buffer(l *lane, ev *event.Event, at int64, keep func(string) bool) {
	var it *item
	for _, runners := range l.dispatch.of(ev) {
		for _, r := range runners {
			sight, wanted := r.sees(ev)
			if !wanted {
				continue
			}
			if it == nil {
				it = l.newItem()
				it.event, it.weight, it.text = e.witness(ev, at), ev.Weight(), e.letters(ev, at)
			}
			it.add(r, ev, sight, keep)
		}
	}
	switch {
	case it == nil:
	case len(it.takes) == 0:
		l.release(it)
	default:
		l.buffer.Push(it.event, it)
	}
}

// witness gives what evidence keeps of the event at hand, the same for all lanes.
func (e *Engine) witness(ev *event.Event, at int64) *window.Witness {
	if e.seenAt != e.epoch {
		e.seenAt, e.atHand = e.epoch, e.witnesses.Of(at, ev.ID())
	}
	return e.atHand
}

// add puts in what a rule takes of the event.
func (it *item) add(r *runner, ev *event.Event, sight window.Sight, keep func(string) bool) {
	place, cut := it.keysOf(r, ev, keep)
	if cut {
		r.lose()
	}
	if place < 0 {
		return
	}
	t := take{run: r, sight: sight, keys: place}
	if !sight.Passive {
		t.tags = r.tags(ev)
	}
	it.takes = append(it.takes, t)
	r.usage.took(it.event.At())
}

// keysOf gives the place of the event's keys under a rule's group_by, -1 when keep wants none of them.
func (it *item) keysOf(r *runner, ev *event.Event, keep func(string) bool) (place int, cut bool) {
	for i := range it.keys {
		if it.keys[i].space == r.space && it.keys[i].seed == r.seed {
			return i, r.space.cut
		}
	}
	first, more, cut := r.space.of(ev, r.engine.epoch)
	if keep != nil || r.engine.options.Shards > 0 {
		var wanted bool
		if first, more, wanted = r.only(keep, first, more); !wanted {
			return -1, cut
		}
	}
	it.keys = append(it.keys, keys{r.space, r.seed, first, more})
	return len(it.keys) - 1, cut
}

// only leaves those keys that keep wants and the engine's shard has, and says whether there is one.
func (r *runner) only(keep func(string) bool, first string, more []string) (string, []string, bool) {
	if len(more) == 0 {
		return first, nil, (keep == nil || keep(first[:r.grouped(first)])) && r.owns(first)
	}
	kept := slices.DeleteFunc(append([]string{first}, more...), func(key string) bool {
		return keep != nil && !keep(key[:r.grouped(key)]) || !r.owns(key)
	})
	if len(kept) == 0 {
		return "", nil, false
	}
	return kept[0], kept[1:], true
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
