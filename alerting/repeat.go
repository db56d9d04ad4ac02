package alerting

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// rescan is how often the store is asked for firing alerts, so that those of an alerter that died are told again by
// those that live.
const rescan = 5 * time.Minute

// repeats knows the alerts that fire and when each is to be told again. When that is follows from when its state was
// kept, which stands in the store: every alerter comes to the same moments, and so to the same notifications.
type repeats struct {
	mu      sync.Mutex
	alerts  map[string]*watched
	changed chan struct{}
}

type watched struct {
	index string
	next  time.Time
}

func newRepeats() *repeats {
	return &repeats{alerts: map[string]*watched{}, changed: make(chan struct{}, 1)}
}

// set says when an alert is due; the zero time forgets it.
func (r *repeats) set(id, index string, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next.IsZero() {
		delete(r.alerts, id)
		return
	}
	r.alerts[id] = &watched{index, next}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// again has an alert that is known be due at a time, if that is sooner.
func (r *repeats) again(id string, at time.Time) {
	r.mu.Lock()
	w := r.alerts[id]
	r.mu.Unlock()
	if w != nil && at.Before(w.next) {
		r.set(id, w.index, at)
	}
}

func (r *repeats) knows(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alerts[id] != nil
}

// due gives the alerts to be told now, by id, and how long it is until the next one.
func (r *repeats) due(now time.Time) (ids map[string]string, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids, wait = map[string]string{}, rescan
	for id, w := range r.alerts {
		if d := w.next.Sub(now); d > 0 {
			wait = min(wait, d)
		} else {
			ids[id] = w.index
		}
	}
	return ids, wait
}

// watch is the stage that notes which alerts fire.
func (a *Alerter) watch(_ context.Context, items []Item) ([]Item, error) {
	for i := range items {
		it := &items[i]
		a.noted(&it.Alert)
		next := time.Time{}
		if it.Alert.State != event.StateResolved {
			next = a.nextRepeat(&it.Alert, it.KeptAt, it.KeptAt)
		}
		a.repeats.set(it.Alert.ID, event.AlertIndex(it.Alert.From), next)
		a.watchSteps(it)
	}
	return items, nil
}

// nextRepeat gives the first moment after now at which a receiver is to be told again; zero: never.
func (a *Alerter) nextRepeat(alert *event.Alert, base, now time.Time) time.Time {
	var next time.Time
	for _, t := range a.tree.Targets(alert) {
		at := nth(base, t.Repeat, max(0, times(base, now, t.Repeat))+1)
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// times is how many whole intervals lie between two instants, and nth the end of the n-th.
func times(from, to time.Time, every time.Duration) int64 { return int64(to.Sub(from) / every) }

func nth(from time.Time, every time.Duration, n int64) time.Time {
	return from.Add(time.Duration(n * int64(every)))
}

// runRepeats tells alerts again until ctx ends.
func (a *Alerter) runRepeats(ctx context.Context) {
	scanned := a.now()
	a.tend(ctx, a.repeats, "telling an alert again", func() {
		if a.now().Sub(scanned) < rescan {
			return
		}
		if err := a.findFiring(ctx); err != nil && ctx.Err() == nil {
			a.log.WithError(err).Warn("looking for firing alerts failed, trying again")
		}
		scanned = a.now()
	}, a.repeat)
}

// tend calls do for each alert of r that is due, until ctx ends, and look before each round. What fails is tried again.
func (a *Alerter) tend(ctx context.Context, r *repeats, doing string, look func(), do func(ctx context.Context, id, index string) error) {
	for ctx.Err() == nil {
		look()
		ids, wait := r.due(a.now())
		for id, index := range ids {
			if err := do(ctx, id, index); err != nil && ctx.Err() == nil {
				a.log.WithError(err).Warn(doing + " failed, trying again")
				wait = min(wait, time.Second)
			}
		}
		if len(ids) > 0 {
			_, next := r.due(a.now())
			wait = min(wait, next)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-r.changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// repeat tells one alert again to the receivers for which it is time, if the store says that it still fires. Where
// something about it waits to be sent already, once is enough.
func (a *Alerter) repeat(ctx context.Context, id, index string) error {
	for {
		k, version, err := a.kept(ctx, index, id)
		if err != nil {
			return err
		}
		if k == nil || k.alert.State == event.StateResolved {
			a.repeats.set(id, index, time.Time{})
			return nil
		}
		now := a.now()
		items, news := a.repeatsOf(k, now)
		if news {
			err := a.rewrite(ctx, index, k, version)
			if errors.Is(err, store.ErrConflict) {
				continue // another alerter was faster, or there is a new state: look again
			}
			if err != nil {
				return err
			}
		}
		if _, err := (Line{StageFunc(a.render), StageFunc(a.post)}).Exec(ctx, items); err != nil {
			return err
		}
		a.repeats.set(id, index, a.nextRepeat(&k.alert, k.at, now))
		return nil
	}
}

// repeatsOf gives what is to be told again of an alert: to its receivers, and to who is on call by then. news says that
// somebody is among them who was told nothing of it; the account of k knows then.
func (a *Alerter) repeatsOf(k *keptAlert, now time.Time) (items []Item, news bool) {
	var line []byte
	done := map[string]bool{}
	for _, t := range a.tree.Targets(&k.alert) {
		n := times(k.at, now, t.Repeat)
		if n < 1 {
			continue
		}
		moment := nth(k.at, t.Repeat, n)
		for _, l := range a.named(t.Receiver, moment) {
			r := a.receivers[l.Receiver]
			if r == nil || done[l.Receiver] || r.queue.Has(k.alert.ID) {
				continue
			}
			done[l.Receiver] = true
			if k.account.listener(l.Receiver) == nil {
				news = true
				l.Kind, l.Moment = channel.Repeat, moment
				k.account.add(l)
			}
			if line == nil {
				line = plainLine(k.line)
			}
			to := t
			if to.Receiver != l.Receiver {
				to.Group, to.Receiver = t.Group.For(l.Receiver), l.Receiver
			}
			items = append(items, Item{Alert: k.alert, Line: line, Kind: channel.Repeat, Moment: moment, KeptAt: k.at, Target: to})
		}
	}
	for i := range items {
		items[i].account = k.account
	}
	return items, news
}

// findFiring learns from the store which alerts fire.
func (a *Alerter) findFiring(ctx context.Context) error {
	if err := a.store.Refresh(ctx, event.AlertIndices); err != nil {
		return fmt.Errorf("looking for firing alerts: %w", err)
	}
	state := event.FieldByID(event.FieldAlertState)
	q := store.Query{Indices: event.AlertIndices, Where: filter.Not{X: filter.Equal{
		Field: filter.Field{Name: state.Name, ID: state.ID, Type: state.Type},
		Value: event.KeywordValue(event.StateResolved),
	}}}
	var bad []error
	for hit, err := range a.store.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("looking for firing alerts: %w", err)
		}
		k, err := readKept(hit.Body)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s/%s: %w", hit.Index, hit.ID, err))
			continue
		}
		a.board.Note(&k.alert)
		if k.alert.Status != "shadow" && !a.repeats.knows(k.alert.ID) {
			a.repeats.set(k.alert.ID, hit.Index, a.now()) // one may be owed already; what was told is recognised
		}
		if k.alert.Status != "shadow" && !a.steps.knows(k.alert.ID) && len(a.tree.Escalations(&k.alert)) > 0 {
			a.steps.note(&k.alert, a.now(), false)
		}
	}
	if err := errors.Join(bad...); err != nil {
		a.log.WithError(err).Error("alerts in the store cannot be read and are not told again")
	}
	return nil
}
