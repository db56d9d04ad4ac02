package alerting

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"imwatch/alerting/channel"
	"imwatch/alerting/flap"
	"imwatch/alerting/render"
	"imwatch/event"
	"imwatch/internal/store"
)

// annotated adds to an alert what this stage knows of it: how many follow from it, and whether it flaps.
func (a *Alerter) annotated(alert *event.Alert, flaps string) *event.Alert {
	n := a.board.Folded(alert.ID)
	if n == 0 && flaps == "" {
		return alert
	}
	told := *alert
	if told.Annotations = maps.Clone(alert.Annotations); told.Annotations == nil {
		told.Annotations = map[string]string{}
	}
	if n > 0 {
		told.Annotations["folded_alerts"] = strconv.Itoa(n)
	}
	if flaps != "" {
		told.Annotations[render.FlappingNote] = flaps
	}
	return &told
}

// flapNote is what is said with the firing that makes its key flap; "" with all others.
func (a *Alerter) flapNote(r *receiver, kind channel.Kind, alert *event.Alert) string {
	if kind != channel.Firing {
		return ""
	}
	s := a.flaps.Of(alert, a.now())
	if !s.Start {
		return ""
	}
	return render.Flapping(r.language, s.Fired, a.cfg.Flapping.Within, a.cfg.Flapping.Calm)
}

// findFlapping learns from the store what fired in the last day.
func (a *Alerter) findFlapping(ctx context.Context) error {
	if !a.cfg.Flapping.On() {
		return nil
	}
	q := store.Query{Indices: event.AlertIndices, From: a.now().Add(-flap.Remembered)}
	for hit, err := range a.store.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("looking for what flaps: %w", err)
		}
		if k, err := readKept(hit.Body); err == nil { // findFiring tells of those that cannot be read
			a.flaps.Note(&k.alert)
		}
	}
	return nil
}
