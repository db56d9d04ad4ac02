package outbox

import (
	"context"
	"fmt"
	"iter"

	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"
)

// Store is what the ledger needs of the store.
type Store interface {
	store.Writer
	Get(ctx context.Context, index, id string) (body []byte, version string, err error)
	Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error]
}

// Ledger reads and writes entries. Safe for concurrent use. Its errors wrap those of the store.
type Ledger struct{ store Store }

// New makes a ledger on a store.
func New(s Store) *Ledger { return &Ledger{s} }

// Add writes new entries, one result for each in order; an entry that exists is left as it is (store.Existed).
func (l *Ledger) Add(ctx context.Context, entries ...*Entry) ([]store.Result, error) {
	docs := make([]store.Doc, len(entries))
	for i, e := range entries {
		body, err := encode(e)
		if err != nil {
			return nil, err
		}
		docs[i] = store.Doc{Index: e.Index(), ID: e.ID(), Body: body}
	}
	results, err := l.store.Put(ctx, docs...)
	if err != nil {
		return nil, fmt.Errorf("writing notifications: %w", err)
	}
	return results, nil
}

// Get reads an entry as it stands now, and its version for Save.
func (l *Ledger) Get(ctx context.Context, r Ref) (*Entry, string, error) {
	body, version, err := l.store.Get(ctx, r.Index, r.ID)
	if err != nil {
		return nil, "", fmt.Errorf("reading notification %s: %w", r.ID, err)
	}
	e, err := Decode(body)
	return e, version, err
}

// Save writes an entry that is still at version, and gives the new version.
func (l *Ledger) Save(ctx context.Context, e *Entry, version string) (string, error) {
	body, err := encode(e)
	if err != nil {
		return "", err
	}
	version, err = l.store.Swap(ctx, store.Doc{Index: e.Index(), ID: e.ID(), Body: body}, version)
	if err != nil {
		return "", fmt.Errorf("writing notification %s: %w", e.ID(), err)
	}
	return version, nil
}

// Pending gives the names of all entries that are neither sent nor failed, oldest first. An entry that cannot be read
// is told to bad and left out.
func (l *Ledger) Pending(ctx context.Context, bad func(id string, err error)) ([]Ref, error) {
	if err := l.store.Refresh(ctx, Indices); err != nil {
		return nil, fmt.Errorf("looking for pending notifications: %w", err)
	}
	q := store.Query{Indices: Indices, Where: equal(event.FieldEventOutcome, "unknown")}
	var refs []Ref
	for hit, err := range l.store.Search(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("looking for pending notifications: %w", err)
		}
		e, err := Decode(hit.Body)
		if err != nil {
			bad(hit.ID, err)
			continue
		}
		r := e.Ref()
		if e.Claim.Until.After(r.Due) {
			r.Due = e.Claim.Until
		}
		refs = append(refs, r)
	}
	return refs, nil
}

func field(id event.FieldID) filter.Field {
	f := event.FieldByID(id)
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

func equal(id event.FieldID, text string) filter.Expr {
	return filter.Equal{Field: field(id), Value: event.KeywordValue(text)}
}
