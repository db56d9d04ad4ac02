package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/oncall"
	"imwatch/internal/store"
)

// overridesRemembered is how long an override that is over is still known, so that who was on call then can be asked.
const overridesRemembered = 92 * 24 * time.Hour

// Overrides gives those that people made, in the order in which they were made. The list must not be changed.
func (d *Desk) Overrides() []*oncall.Override {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ordered
}

// AddOverride keeps that somebody stands in, and gives the override its id. It counts when AddOverride returns, from now
// on at the earliest: who was on call is not changed afterwards.
func (d *Desk) AddOverride(ctx context.Context, who Who, o oncall.Override) (*oncall.Override, error) {
	now := d.now().UTC()
	o.ID, o.Made, o.Ended, o.EndedBy = strings.ToLower(rand.Text()[:16]), now, time.Time{}, ""
	if o.Author == "" {
		o.Author = who.Name
	}
	if o.From.Before(now) {
		o.From = now
	}
	if err := o.Validate(); err != nil {
		return nil, err //nolint:wrapcheck // a fault of the caller's, by key
	}
	text := o.Person + " stands in for " + o.Schedule + " from " + o.From.UTC().Format(time.RFC3339) + " until " + o.Until.UTC().Format(time.RFC3339)
	if err := d.record(ctx, entry(now, who, "override_create", o.ID, text)); err != nil {
		return nil, err
	}
	doc := newDocument(now, o.ID, datasetOverride, who.Name, text)
	doc.IM.Desk.Override = &o
	if err := d.put(ctx, SilenceIndex, o.ID, &doc); err != nil {
		return nil, err
	}
	d.noteOverride(&o)
	return &o, nil
}

// EndOverride ends an override now, or before it begins. One that is over is left as it is.
func (d *Desk) EndOverride(ctx context.Context, who Who, id string) (*oncall.Override, error) {
	recorded := false
	for {
		body, version, err := d.store.Get(ctx, SilenceIndex, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("override %q: %w", id, ErrUnknown)
		}
		if err != nil {
			return nil, fmt.Errorf("override %q: %w", id, err)
		}
		doc, err := decode(body)
		if err != nil {
			return nil, err
		}
		o := doc.IM.Desk.Override
		if o == nil {
			return nil, fmt.Errorf("override %q: %w", id, ErrUnknown)
		}
		now := d.now().UTC()
		if !o.Ended.IsZero() || o.Over(now) {
			return o, nil
		}
		if !recorded {
			if err := d.record(ctx, entry(now, who, "override_end", id, o.Person+" stood in for "+o.Schedule)); err != nil {
				return nil, err
			}
			recorded = true
		}
		o.Ended, o.EndedBy = now, who.Name
		if err := d.swap(ctx, SilenceIndex, id, doc, version); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return nil, err
		}
		d.noteOverride(o)
		return o, nil
	}
}

// noteOverride has an override count here at once.
func (d *Desk) noteOverride(o *oncall.Override) {
	d.mu.Lock()
	overrides := maps.Clone(d.overrides)
	overrides[o.ID] = o
	d.notes++
	d.order(overrides)
	d.mu.Unlock()
	d.tell()
}

// order puts overrides in the order in which they were made. d.mu is held.
func (d *Desk) order(overrides map[string]*oncall.Override) {
	list := slices.SortedFunc(maps.Values(overrides), func(a, b *oncall.Override) int {
		if c := a.Made.Compare(b.Made); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	d.overrides, d.ordered = overrides, list
}

func (d *Desk) readOverrides(ctx context.Context) (map[string]*oncall.Override, error) {
	overrides := map[string]*oncall.Override{}
	limit := d.now().Add(-overridesRemembered)
	err := d.search(ctx, store.Query{Indices: SilenceIndex, Where: ofDataset(datasetOverride)}, func(doc *document) {
		if o := doc.IM.Desk.Override; o != nil && o.Validate() == nil && !o.Over(limit) {
			overrides[o.ID] = o
		}
	})
	return overrides, err
}
