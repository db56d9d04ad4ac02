package detector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/detector/engine"
	"imwatch/event"
	"imwatch/event/canary"
	"imwatch/internal/bus"
)

// observe gives one event to the engine and counts what became of it.
func (d *Detector) observe(m *bus.Message, ev *event.Event, wall time.Time) {
	if ev.ID() == "" && !ev.IsWatermark() {
		ev.SetText(event.FieldEventID, originOf(d.topic, m.Partition, m.Offset))
	}
	if ev.Time().Sub(wall) > event.MaxAhead && !ev.IsWatermark() {
		// It is a dead letter to the indexer too; here it would make everything that follows late.
		d.metrics.rejected.WithLabelValues("ahead").Inc()
		return
	}
	if canary.Is(ev) {
		d.health.read(ev, m.Value)
		return
	}
	switch d.engine.Observe(m.Partition, ev, wall.UnixNano()) {
	case engine.Taken, engine.Late:
		d.metrics.events.Inc()
	case engine.Repeat:
		d.metrics.repeats.Inc()
	case engine.Useless:
		d.metrics.rejected.WithLabelValues("watermark").Inc()
	case engine.Ranged, engine.Progress:
	}
}

// originOf is the id of an event that came without one.
func originOf(topic string, partition int, offset int64) string {
	return fmt.Sprintf("%s-%d-%d", topic, partition, offset)
}

// evaluate evaluates what the watermark has passed and produces the state changes.
func (d *Detector) evaluate(ctx context.Context) error {
	began := d.deps.Now()
	alerts := d.engine.Advance()
	d.metrics.evaluation.Observe(d.deps.Now().Sub(began).Seconds())
	d.pending = append(d.pending, alerts...)
	if len(d.pending) == 0 {
		return nil
	}
	if err := d.produce(ctx, d.pending); err != nil {
		return err // they stay pending, so no checkpoint will hold them as told
	}
	for _, a := range d.pending {
		d.metrics.alerts.WithLabelValues(a.RuleID, a.State).Inc()
	}
	d.board.told(d.pending)
	d.compare.streamed(d.pending)
	d.pending, d.dirty = nil, true
	return nil
}

// produce writes alerts to the bus until they are acknowledged.
func (d *Detector) produce(ctx context.Context, alerts []*event.Alert) error {
	ms, err := messages(alerts)
	if err != nil {
		return err
	}
	for {
		err := d.deps.Bus.Produce(ctx, bus.TopicAlerts, ms...)
		tooLarge, isLarge := errors.AsType[*bus.TooLargeError](err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil, errors.Is(err, bus.ErrClosed):
			return fmt.Errorf("producing alerts: %w", err)
		case isLarge:
			if err := d.shorten(alerts[tooLarge.Index], &ms[tooLarge.Index]); err != nil {
				return err
			}
		default:
			d.log.WithError(err).Warn("alerts could not be produced: trying again")
			wait(ctx, retryAfter)
		}
	}
}

// messages makes the messages of alerts: the key is the alert's id, so that its states stay in order.
func messages(alerts []*event.Alert) ([]bus.Message, error) {
	ms := make([]bus.Message, len(alerts))
	for i, a := range alerts {
		line, err := a.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("producing alerts: %w", err)
		}
		ms[i] = bus.Message{Key: []byte(a.ID), Value: line}
	}
	return ms, nil
}

// shorten takes evidence and texts off an alert that is too large for the broker: better short than lost.
func (d *Detector) shorten(a *event.Alert, m *bus.Message) error {
	if a.EvidenceIDs == nil && a.Top == nil && a.Annotations == nil {
		return fmt.Errorf("producing alerts: alert %s of rule %s: %w", a.ID, a.RuleID, bus.ErrTooLarge)
	}
	d.log.WithField("alert", a.ID).Warn("alert is too large for the broker: evidence and texts are left out")
	a.EvidenceIDs, a.Top, a.Annotations = nil, nil, nil
	line, err := a.MarshalJSON()
	if err != nil {
		return fmt.Errorf("producing alerts: %w", err)
	}
	m.Value = line
	return nil
}

// tellRefused makes the alerts about rules that were refused, or no longer are.
func (d *Detector) tellRefused() {
	if alerts := d.rejected.update(d.book.refused, d.deps.Now()); len(alerts) > 0 {
		d.pending = append(d.pending, alerts...)
		d.dirty = true
	}
}

// reload reads the rule files anew.
func (d *Detector) reload() {
	before := d.book.running
	d.book.load()
	d.tellRules()
	d.tellRefused()
	if err := d.engine.SetRules(d.streamed()); err != nil { // load has asked for each: it cannot be
		d.log.WithError(err).Error("rules could not be set: those before go on running")
		d.book.running = before
		return
	}
	if d.queries != nil {
		d.queries.set(d.book.running)
	}
	d.metrics.keys.Reset()
	d.dirty = true
}

func (d *Detector) tellKeys() {
	for id, n := range d.engine.Keys() {
		d.metrics.keys.WithLabelValues(id).Set(float64(n))
	}
	for id, n := range d.overflow {
		d.log.WithFields(logrus.Fields{"rule": id, "keys": n}).
			Warn("the rule has more keys than limits.keys: alerts of further ones may be over-counted, and say that they are degraded")
	}
	for id, n := range d.lost {
		d.log.WithFields(logrus.Fields{"rule": id, "times": n}).
			Error("events were not taken in, or keys given up: there is no room for them even past limits.keys")
	}
	clear(d.overflow)
	clear(d.lost)
}
