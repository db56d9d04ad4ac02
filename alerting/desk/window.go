package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"imwatch/internal/store"
)

// Window is what came of a maintenance window, or of one time of a weekly one: counted once, whoever is asked later.
type Window struct {
	Silence string    `json:"silence"` // its id
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Held    int       `json:"held"`   // alerts
	Firing  int       `json:"firing"` // of them, when it was counted
	At      time.Time `json:"at"`     // when it was
}

// id names the window by its end: when a weekly one began may be told differently later, when it ended not.
func (w *Window) id() string {
	sum := sha256.Sum256([]byte(w.Silence + "\n" + w.Until.UTC().Format(time.RFC3339Nano)))
	return "window-" + hex.EncodeToString(sum[:16])
}

// Settled gives what was counted of a window; nil: nobody has counted yet.
func (d *Desk) Settled(ctx context.Context, w Window) (*Window, error) {
	body, _, err := d.store.Get(ctx, monthIndex(w.Until), w.id())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // as said
	}
	if err != nil {
		return nil, fmt.Errorf("reading what came of a maintenance window: %w", err)
	}
	doc, err := decode(body)
	if err != nil {
		return nil, err
	}
	if doc.IM.Desk.Window == nil {
		return nil, errors.New("reading what came of a maintenance window: there is another document")
	}
	return doc.IM.Desk.Window, nil
}

// Settle keeps what was counted of a window, and gives what counts: where somebody else was first, what he counted.
func (d *Desk) Settle(ctx context.Context, w Window) (*Window, error) {
	doc := newDocument(w.Until, w.id(), datasetWindow, "imwatch", fmt.Sprintf("maintenance %s held %d alerts, %d still fired", w.Silence, w.Held, w.Firing))
	doc.IM.Desk.Window = &w
	if err := d.put(ctx, monthIndex(w.Until), w.id(), &doc); err != nil {
		return nil, err
	}
	first, err := d.Settled(ctx, w)
	if err == nil && first == nil {
		err = errors.New("reading what came of a maintenance window: it is gone")
	}
	return first, err
}
