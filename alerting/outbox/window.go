package outbox

import (
	"context"
	"fmt"

	"imwatch/event"
	"imwatch/internal/store"
)

// HeldBy gives the entries that a maintenance window held at any time, in the order of their decision, as long as yield
// returns true. An entry that cannot be read is an error.
func (l *Ledger) HeldBy(ctx context.Context, silence string, yield func(*Entry) bool) error {
	if err := l.store.Refresh(ctx, Indices); err != nil {
		return fmt.Errorf("looking for held notifications: %w", err)
	}
	q := store.Query{Indices: Indices, Where: equal(event.FieldNotifyWindow, silence)}
	for hit, err := range l.store.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("looking for held notifications: %w", err)
		}
		e, err := Decode(hit.Body)
		if err != nil {
			return err
		}
		if !yield(e) {
			return nil
		}
	}
	return nil
}
