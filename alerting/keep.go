package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
	"imwatch/internal/store"
)

// keepers is how many alerts are kept at the same time: a store's answer takes milliseconds, and a flood is thousands.
const keepers = 8

// keep is the stage that keeps the newest state of each alert in the store, one document an alert. A state older
// than what is kept goes no further: it was decided before that one, or comes too late to be true. The same state
// goes on, as it may not have been decided yet when the process died. The items are of different alerts.
func (a *Alerter) keep(ctx context.Context, items []Item) ([]Item, error) {
	pass := make([]bool, len(items))
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	free := make(chan struct{}, keepers)
	for i := range items {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			pass[i], errs[i] = a.keepOne(ctx, &items[i])
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var out []Item
	for i := range items {
		if pass[i] {
			out = append(out, items[i])
		}
	}
	return out, nil
}

func (a *Alerter) keepOne(ctx context.Context, it *Item) (bool, error) {
	index := event.AlertIndex(it.Alert.From)
	for {
		old, version, err := a.kept(ctx, index, it.Alert.ID)
		switch {
		case err != nil:
			return false, err
		case old != nil && old.alert.DocID() == it.Alert.DocID():
			it.KeptAt, it.Before, it.account = old.at, old.account.Before, old.account
			if it.account.Since.IsZero() { // an older version kept it
				it.account = a.plan(it, nil)
			}
			a.metrics.redelivered.Inc()
			return a.notifies(it), nil
		case old != nil && !newer(&it.Alert, &old.alert):
			a.metrics.dropped.WithLabelValues("outdated").Inc()
			return false, nil
		}
		it.KeptAt = a.now()
		if old != nil {
			it.Before = Before{channel.Kind(old.alert.State), old.alert.Time, old.alert.Severity}
		}
		it.account = a.plan(it, old)
		err = a.write(ctx, index, it, version)
		switch {
		case errors.Is(err, store.ErrConflict):
			continue // another alerter has the same state, or a later one: look again
		case errors.Is(err, store.ErrRejected):
			a.metrics.dropped.WithLabelValues("refused").Inc()
			a.log.WithError(err).WithField("alert", it.Alert.ID).Error("the store refuses an alert; it is told, but not kept")
		case err != nil:
			return false, err
		}
		a.metrics.alerts.WithLabelValues(it.Alert.State).Inc()
		return a.notifies(it), nil
	}
}

// notifies says whether people are to hear of it: shadow rules are evaluated and kept, and no more.
func (a *Alerter) notifies(it *Item) bool {
	if it.Alert.Status == "shadow" {
		a.metrics.dropped.WithLabelValues("shadow").Inc()
		return false
	}
	return true
}

// keptAlert is the newest state in the store and when it came there.
type keptAlert struct {
	alert   event.Alert
	line    []byte
	at      time.Time
	account account
}

// kept reads an alert's document; nil when there is none, or none that can be read: it is then written anew.
func (a *Alerter) kept(ctx context.Context, index, id string) (*keptAlert, string, error) {
	body, version, err := a.store.Get(ctx, index, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading alert %s: %w", id, err)
	}
	k, err := readKept(body)
	if err != nil {
		a.log.WithError(err).WithField("alert", id).Error("an alert in the store cannot be read and is written anew")
		return nil, version, nil
	}
	return k, version, nil
}

func readKept(body []byte) (*keptAlert, error) {
	k := &keptAlert{line: body}
	var d struct {
		Event struct {
			Ingested time.Time `json:"ingested"`
		} `json:"event"`
		IM struct {
			Notify account `json:"notify"`
		} `json:"im"`
	}
	if err := errors.Join(json.Unmarshal(body, &k.alert), json.Unmarshal(body, &d)); err != nil {
		return nil, err
	}
	k.at, k.account = d.Event.Ingested, d.IM.Notify
	return k, nil
}

// newer says whether a is a later state of the spell than b. Nothing comes after resolved.
func newer(a, b *event.Alert) bool {
	switch {
	case b.State == event.StateResolved:
		return false
	case a.State == event.StateResolved, a.Time.After(b.Time):
		return true
	}
	return a.Time.Equal(b.Time) && b.State == event.StateFiring && a.State == event.StateUpdated
}

func (a *Alerter) write(ctx context.Context, index string, it *Item, version string) error {
	body, err := document(it)
	if err != nil {
		return err
	}
	if _, err := a.store.Swap(ctx, store.Doc{Index: index, ID: it.Alert.ID, Body: body}, version); err != nil {
		return fmt.Errorf("keeping alert %s: %w", it.Alert.ID, err)
	}
	return nil
}

// document adds event.ingested and the account, as im.notify, to a line and leaves the rest as it came, fields that we do not
// know included.
func document(it *Item) ([]byte, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(it.Line, &doc); err != nil {
		return nil, fmt.Errorf("reading alert line: %w", err)
	}
	if err := put(doc, "event", "ingested", event.FormatTime(it.KeptAt)); err != nil {
		return nil, err
	}
	if err := put(doc, "im", "notify", it.account); err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

// plainLine gives the line of an alert's document as others may read it: who is told is nobody else's business.
func plainLine(body []byte) []byte {
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil || put(doc, "im", "notify", nil) != nil {
		return body // it was read before
	}
	line, err := json.Marshal(doc)
	if err != nil {
		return body
	}
	return line
}

// put sets a member of an object in doc, which is made where it is missing; a nil value takes it out.
func put(doc map[string]json.RawMessage, object, name string, value any) error {
	members := map[string]json.RawMessage{}
	if raw, ok := doc[object]; ok {
		if err := json.Unmarshal(raw, &members); err != nil {
			return fmt.Errorf("reading %s of an alert line: %w", object, err)
		}
	}
	if members == nil { // null
		members = map[string]json.RawMessage{}
	}
	delete(members, name)
	if value == nil {
		doc[object], _ = json.Marshal(members) // raw messages that were just read
		return nil
	}
	var err error
	if members[name], err = json.Marshal(value); err != nil {
		return fmt.Errorf("encoding %s.%s: %w", object, name, err)
	}
	doc[object], err = json.Marshal(members)
	return err
}
