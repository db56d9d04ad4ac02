// Package store is the port to where events, alerts, dead letters and notifications are kept and looked for.
//
// Adapters: elastic (Elasticsearch by go-elasticsearch's esapi) and sqlite (files inside the process, one a day and
// retention class). Both pass the one suite in storetest.
//
// What it promises: a document is one document by its index and id, however often it is put; what Put reported as
// stored survives a crash of the store; Search and Aggregate either see every document that matches and was
// visible when they began, or fail. A partial answer is a failure.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"imwatch/event"
	"imwatch/event/filter"
)

// ErrNotFound is returned (wrapped) by Get for a document that is not there.
var ErrNotFound = errors.New("no such document")

// ErrUnavailable is returned (wrapped) when the store could not be asked or answered only in part: the same call may
// succeed later.
var ErrUnavailable = errors.New("store is unavailable")

// ErrConflict is returned (wrapped) by Swap when the document is not at the version that the caller saw.
var ErrConflict = errors.New("document was changed meanwhile")

// ErrRejected is returned (wrapped) by Swap when the store will never take the document: what Put answers as Rejected.
var ErrRejected = errors.New("document is refused")

// Doc is one document to be kept.
type Doc struct {
	Index string // see package event: IndexFor, AlertIndex, …; CheckIndex says what is allowed
	ID    string // 1 to 512 bytes
	// Body is one JSON object; it belongs to the caller again after Put. One without @timestamp is kept too, but
	// stands last in Search and in no time range.
	Body []byte
}

// Outcome is what became of one document.
type Outcome uint8

// The outcomes of Put, document by document.
const (
	Stored   Outcome = iota // it is kept now
	Existed                 // a document with this index and id was there before; nothing was changed
	Rejected                // the store will never take it (it does not fit the fields' types): Reason says why
	Retry                   // the store could not take it now; the same document may be put again
)

// Result is what became of one document of a Put.
type Result struct {
	Outcome Outcome
	Reason  string // for Rejected and Retry: the store's words
}

// Writer keeps documents. Safe for concurrent use.
type Writer interface {
	// Put creates the documents that are not there yet, one result for each in order. The error is for the whole
	// call (ErrUnavailable when it may be tried again): any subset may then have been kept. One attempt: retrying is
	// the caller's business.
	Put(ctx context.Context, docs ...Doc) ([]Result, error)
	// Swap writes one document if it is still at version, as Get gave it; version "" means that it must not exist.
	// It returns the new version, and ErrConflict when somebody else was quicker. Get sees the document at once.
	Swap(ctx context.Context, d Doc, version string) (string, error)
	// Refresh makes everything put so far visible to Search, Count and Aggregate in the indices that match pattern.
	Refresh(ctx context.Context, pattern string) error
}

// Query selects documents.
type Query struct {
	Indices string      // a pattern: comma-separated names, '*' as a wildcard; "" and what matches nothing: no hits
	From    time.Time   // @timestamp ≥ From; zero: open
	To      time.Time   // @timestamp < To; zero: open
	Where   filter.Expr // nil: all
	// IngestedFrom keeps only documents with event.ingested ≥ it; zero: all.
	IngestedFrom time.Time
}

// Hit is one document found.
type Hit struct {
	Index string
	ID    string
	Body  []byte
}

// Bucket is one group of Aggregate.
type Bucket struct {
	// Key has one entry for each by-field, as canonical text (see KeyText), and one for the interval, if any.
	Key    []string
	Absent []bool  // true where the documents of this bucket lack the by-field; its Key is "" then
	Count  int64   // documents
	Weight float64 // sum of im.sample.weight, absent = 1
}

// Reader looks for documents. Safe for concurrent use.
type Reader interface {
	// Search yields every matching document in order of (@timestamp in full precision, id, index). Single use. After
	// an error it ends. A hit's Body is the caller's.
	Search(ctx context.Context, q Query) iter.Seq2[Hit, error]
	// Count gives the number of matching documents.
	Count(ctx context.Context, q Query) (int64, error)
	// Aggregate yields every group of the matching documents by the values of the fields by, never only the largest
	// ones, in no particular order. A document with a list counts in the group of each of its distinct elements. With
	// interval > 0, groups are further split by the interval-aligned time (Unix epoch) in which @timestamp falls,
	// given as the last Key, as event.FormatTime prints it.
	Aggregate(ctx context.Context, q Query, by []filter.Field, interval time.Duration) iter.Seq2[Bucket, error]
	// Get reads one document at once, also one not yet visible to Search. Version is for Swap. ErrNotFound where
	// there is none.
	Get(ctx context.Context, index, id string) (body []byte, version string, err error)
}

// Admin looks after the store. Safe for concurrent use.
type Admin interface {
	// Setup makes what the store needs (templates, policies, aliases, files). It can be run again.
	Setup(ctx context.Context) error
	// Indices names the indices that match pattern.
	Indices(ctx context.Context, pattern string) ([]string, error)
	// Drop deletes a whole index with all its documents. An index that is not there is no error.
	Drop(ctx context.Context, index string) error
	// Lifecycle says whether the store deletes old indices by itself (ILM); if not, Drop is called for them daily.
	Lifecycle(ctx context.Context) (bool, error)
	// Ping says whether the store answers.
	Ping(ctx context.Context) error
	// Close puts everything away. No call may be under way or follow.
	Close() error
}

// Store is all of it.
type Store interface {
	Writer
	Reader
	Admin
}

// Decode reads a hit's body as an event.
func (h Hit) Decode(e *event.Event) error { return event.Decode(h.Body, e) }

// JSON reads a hit's body into any other document type.
func (h Hit) JSON(v any) error { return json.Unmarshal(h.Body, v) }
