package desk

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"imwatch/internal/store"
)

// Entry is one line of the audit: who did what to what.
type Entry struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Role   string    `json:"role,omitempty"`
	From   string    `json:"from,omitempty"` // the caller's address
	Action string    `json:"action"`         // silence_create, silence_edit, silence_end, ack, ack_take, override_create, override_end
	On     string    `json:"on"`             // the silence, alert or override
	Detail string    `json:"detail,omitempty"`
}

// record writes an entry. It stands before what it is about is written: what was done is never missing from it, though an
// attempt that failed may stand there too.
func (d *Desk) record(ctx context.Context, e Entry) error {
	id := rand.Text()
	doc := newDocument(e.At, id, datasetAudit, e.By, e.By+" "+e.Action+" "+e.On)
	doc.IM.Desk.Audit = &e
	return d.put(ctx, monthIndex(e.At), id, &doc)
}

// put writes a document that is new.
func (d *Desk) put(ctx context.Context, index, id string, doc *document) error {
	body, err := encode(doc)
	if err != nil {
		return err
	}
	results, err := d.store.Put(ctx, store.Doc{Index: index, ID: id, Body: body})
	if err != nil {
		return fmt.Errorf("writing %s: %w", id, err)
	}
	switch r := results[0]; r.Outcome {
	case store.Rejected:
		return fmt.Errorf("writing %s: %w: %s", id, store.ErrRejected, r.Reason)
	case store.Retry:
		return fmt.Errorf("writing %s: %w: %s", id, store.ErrUnavailable, r.Reason)
	case store.Stored, store.Existed:
	}
	return nil
}

// Audit gives the entries from a time to another, the oldest first.
func (d *Desk) Audit(ctx context.Context, from, to time.Time) ([]Entry, error) {
	var list []Entry
	err := d.search(ctx, store.Query{Indices: Indices, From: from, To: to, Where: ofDataset(datasetAudit)}, func(doc *document) {
		if doc.IM.Desk.Audit != nil {
			list = append(list, *doc.IM.Desk.Audit)
		}
	})
	return list, err
}
