package alerting

import (
	"context"
	"fmt"
	"sync"
	"time"

	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// lookout watches for silences that end: those about which people are to be warned, and maintenance windows that are over.
// It belongs to runLookout once that runs. Every alerter has one: what they find has the same ids, and is told once.
type lookout struct {
	warned  map[string]*event.Alert // that a silence ends: what fires, by its id
	settled map[string]bool         // maintenance windows that are done with
}

func newLookout() *lookout {
	return &lookout{warned: map[string]*event.Alert{}, settled: map[string]bool{}}
}

// adopt takes over a warning that was raised before a restart.
func (l *lookout) adopt(a *event.Alert) { l.warned[a.ID] = a }

// lookSilences is how often it is looked for silences that end.
const lookSilences = 5 * time.Second

func (a *Alerter) runLookout(ctx context.Context) {
	t := time.NewTicker(lookSilences)
	defer t.Stop()
	var warned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := a.look(ctx); err != nil && ctx.Err() == nil && a.now().Sub(warned) >= warnAgain {
			warned = a.now()
			a.log.WithError(err).Warn("looking for silences that end failed, trying again")
		}
	}
}

func (a *Alerter) look(ctx context.Context) error {
	firing := sync.OnceValues(func() ([]*event.Alert, error) { return a.firing(ctx) })
	if err := a.lookEndings(ctx, firing); err != nil {
		return err
	}
	return a.lookWindows(ctx, firing)
}

// firing gives the alerts that fire and of which somebody is to be told, without those about silences.
func (a *Alerter) firing(ctx context.Context) ([]*event.Alert, error) {
	if err := a.store.Refresh(ctx, event.AlertIndices); err != nil {
		return nil, fmt.Errorf("looking for firing alerts: %w", err)
	}
	state := event.FieldByID(event.FieldAlertState)
	q := store.Query{Indices: event.AlertIndices, Where: filter.Not{X: filter.Equal{
		Field: filter.Field{Name: state.Name, ID: state.ID, Type: state.Type}, Value: event.KeywordValue(event.StateResolved),
	}}}
	var list []*event.Alert
	for hit, err := range a.store.Search(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("looking for firing alerts: %w", err)
		}
		k, err := readKept(hit.Body)
		if err != nil || k.alert.Status == "shadow" || silence.Own(k.alert.RuleID) || len(a.tree.Targets(&k.alert)) == 0 {
			continue // one that cannot be read was told of by findFiring
		}
		list = append(list, &k.alert)
	}
	return list, nil
}
