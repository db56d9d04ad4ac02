package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"imwatch/event"
	"imwatch/internal/store"
)

// Put creates the documents, in one transaction for each index.
func (s *Store) Put(ctx context.Context, docs ...store.Doc) ([]store.Result, error) {
	done := s.metrics.Observe("put")
	results, err := s.put(ctx, docs)
	done(err)
	if err != nil {
		return nil, failure(ctx, "putting documents", err)
	}
	s.metrics.Put(results)
	return results, nil
}

func (s *Store) put(ctx context.Context, docs []store.Doc) ([]store.Result, error) {
	results := make([]store.Result, len(docs))
	rows := make([][]any, len(docs))
	byIndex := map[string][]int{}
	var order []string
	for i, d := range docs {
		values, err := makeRow(d, 0)
		if err != nil {
			results[i] = store.Result{Outcome: store.Rejected, Reason: err.Error()}
			continue
		}
		if byIndex[d.Index] == nil {
			order = append(order, d.Index)
		}
		rows[i] = values
		byIndex[d.Index] = append(byIndex[d.Index], i)
	}
	for _, index := range order {
		if err := s.putInto(ctx, index, byIndex[index], rows, results); err != nil {
			return nil, fmt.Errorf("index %s: %w", index, err)
		}
	}
	return results, nil
}

// makeRow says what a document is in the table, or why it will never be there.
func makeRow(d store.Doc, version int64) ([]any, error) {
	if err := store.CheckDoc(d); err != nil {
		return nil, err
	}
	var e event.Event
	if err := store.DecodeDoc(d.Body, &e); err != nil {
		return nil, err
	}
	return row(d.ID, version, d.Body, &e), checkExtras(&e)
}

// checkExtras refuses what stands under the name of an alias, as Elasticsearch does: queries by that name would not
// find it.
func checkExtras(e *event.Event) error {
	for _, x := range e.Extras() {
		name, _, _ := strings.Cut(x.Name, ".")
		if f, ok := event.FieldByName(name); ok && f.Name != name {
			return fmt.Errorf("%s: is a short name for %s in queries and cannot be a field", name, f.Name)
		}
	}
	return nil
}

func (s *Store) putInto(ctx context.Context, index string, at []int, rows [][]any, results []store.Result) error {
	return s.writing(ctx, index, true, func(f *file) error {
		for _, i := range at {
			if err := ctx.Err(); err != nil {
				return err
			}
			// Without ctx: watching it would cost a goroutine for each document.
			r, err := f.insert.ExecContext(context.Background(), rows[i]...)
			if err != nil {
				return err
			}
			if n, err := r.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				results[i].Outcome = store.Existed
			}
		}
		return nil
	})
}

// writing runs do in a transaction as the one writer of the index.
func (s *Store) writing(ctx context.Context, index string, create bool, do func(*file) error) error {
	f, err := s.files.acquire(ctx, index, create)
	if err != nil {
		return err
	}
	defer s.files.release(f)
	f.write.Lock()
	defer f.write.Unlock()
	if err := f.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := do(f); err != nil {
		return errors.Join(err, f.exec("ROLLBACK"))
	}
	if err := f.exec("COMMIT"); err != nil {
		return errors.Join(err, f.exec("ROLLBACK"))
	}
	f.forget()
	return nil
}

func (h *handles) exec(statement string) error {
	_, err := h.writer.ExecContext(context.Background(), statement)
	return err
}

// Swap writes one document if it is still at version.
func (s *Store) Swap(ctx context.Context, d store.Doc, version string) (string, error) {
	done := s.metrics.Observe("swap")
	next, err := s.swap(ctx, d, version)
	done(err)
	if err == nil {
		return next, nil
	}
	doing := "swapping " + d.Index + "/" + d.ID
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrRejected) {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return "", failure(ctx, doing, err)
}

func (s *Store) swap(ctx context.Context, d store.Doc, version string) (string, error) {
	next := 1 + rand.Int64N(1<<62) // random, so that a document of a dropped and remade index has another version
	values, err := makeRow(d, next)
	if err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrRejected, err)
	}
	err = s.writing(ctx, d.Index, version == "", func(f *file) error {
		now, err := f.at(ctx, d.ID)
		if err != nil {
			return err
		}
		if now != version {
			return store.ErrConflict
		}
		_, err = f.replace.ExecContext(context.Background(), values...)
		return err
	})
	if errors.Is(err, errGone) {
		return "", store.ErrConflict
	}
	return strconv.FormatInt(next, 10), err
}

// at gives the version of a document, "" where there is none.
func (h *handles) at(ctx context.Context, id string) (string, error) {
	var v int64
	switch err := h.version.QueryRowContext(ctx, id).Scan(&v); {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	}
	return strconv.FormatInt(v, 10), nil
}

// Get reads one document.
func (s *Store) Get(ctx context.Context, index, id string) (body []byte, version string, err error) {
	done := s.metrics.Observe("get")
	body, version, err = s.get(ctx, index, id)
	done(err)
	if err != nil {
		return nil, "", fmt.Errorf("getting %s/%s: %w", index, id, err)
	}
	return body, version, nil
}

func (s *Store) get(ctx context.Context, index, id string) ([]byte, string, error) {
	f, err := s.files.acquire(ctx, index, false)
	if errors.Is(err, errGone) {
		return nil, "", store.ErrNotFound
	}
	if err != nil {
		return nil, "", failure(ctx, "opening the index", err)
	}
	defer s.files.release(f)
	var body []byte
	var v int64
	switch err := f.readers.QueryRowContext(ctx, "SELECT body, ver FROM docs WHERE id = ?", id).Scan(&body, &v); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, "", store.ErrNotFound
	case err != nil:
		return nil, "", failure(ctx, "reading the index", err)
	}
	return body, strconv.FormatInt(v, 10), nil
}
