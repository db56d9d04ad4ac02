package budget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"imwatch/event"
	"imwatch/internal/store"
)

// Index holds the books, a document for each budget. It is never deleted: a book says nothing after its stretch.
const Index = "im-budgets"

// patience is how long the store may take for a reading and a writing. It is longer than a slow one needs: who gives up has to
// do with a share.
const patience = 5 * time.Second

// Store is what a keeper needs of the store.
type Store interface {
	Get(ctx context.Context, index, id string) (body []byte, version string, err error)
	Swap(ctx context.Context, d store.Doc, version string) (string, error)
}

// Keeper reads and writes the book of one budget for one alerter. Safe for concurrent use. Its errors wrap those of the store.
type Keeper struct {
	store Store
	key   string
	by    string
	per   time.Duration
}

// NewKeeper makes a keeper of the budget key, which counts calls in stretches of per, for the alerter by: a name that no
// other process has.
func NewKeeper(s Store, key, by string, per time.Duration) *Keeper { return &Keeper{s, key, by, per} }

// By names the alerter.
func (k *Keeper) By() string { return k.by }

type document struct {
	Timestamp time.Time `json:"@timestamp"`
	Event     struct {
		Dataset string `json:"dataset"`
	} `json:"event"`
	IM struct {
		Budget struct {
			Key  string `json:"key"`
			Uses []Use  `json:"uses"`
		} `json:"budget"`
	} `json:"im"`
}

// Read gives the book and its version for Write; an empty one where there is none, or none that can be read.
func (k *Keeper) Read(ctx context.Context) (Book, string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, version, err := k.store.Get(ctx, Index, k.key)
	if errors.Is(err, store.ErrNotFound) {
		return Book{}, "", nil
	}
	if err != nil {
		return Book{}, "", fmt.Errorf("reading the budget %s: %w", k.key, err)
	}
	var d document
	if json.Unmarshal(body, &d) != nil {
		return Book{}, version, nil // nobody but us writes it: better a call too many than none for ever
	}
	return Book{d.IM.Budget.Uses}, version, nil
}

// Write puts a use into a book that is still at version. After an error other than store.ErrConflict it may stand there.
func (k *Keeper) Write(ctx context.Context, b Book, version string, u Use, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	u.By = k.by
	d := document{Timestamp: now.UTC()}
	d.Event.Dataset = "im.budget"
	d.IM.Budget.Key, d.IM.Budget.Uses = k.key, b.with(u, now, k.per).Uses
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding the budget %s: %w", k.key, err)
	}
	if _, err := k.store.Swap(ctx, store.Doc{Index: Index, ID: k.key, Body: body}, version); err != nil {
		return fmt.Errorf("writing the budget %s of %s: %w", k.key, event.FormatTime(now), err)
	}
	return nil
}
