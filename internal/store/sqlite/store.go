package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"imwatch/internal/store"
)

// Store keeps documents in the files of one directory. Safe for concurrent use. Close it.
type Store struct {
	files   *catalog
	lock    *dirLock
	metrics *store.Metrics
	log     logrus.FieldLogger
}

var _ store.Store = (*Store)(nil)

// Open takes the directory for this process and finds the indices in it. It fails when another process has it.
func Open(cfg Config, log logrus.FieldLogger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the store's directory: %w", err)
	}
	m, err := store.NewMetrics(reg)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	files, err := newCatalog(cfg)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	log.WithFields(logrus.Fields{"dir": cfg.Dir, "indices": len(files.files)}).Info("store is open")
	return &Store{files: files, lock: lock, metrics: m, log: log}, nil
}

// Setup does nothing: files are made when first written to.
func (s *Store) Setup(context.Context) error { return nil }

// Lifecycle says false: old indices are to be dropped by the caller.
func (s *Store) Lifecycle(context.Context) (bool, error) { return false, nil }

// Refresh does nothing: what is put is visible at once.
func (s *Store) Refresh(ctx context.Context, _ string) error { return ctx.Err() }

// Ping says whether the directory is still there.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := os.Stat(s.files.dir); err != nil {
		return fmt.Errorf("looking for the store's directory: %w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// Indices names the indices that match pattern, sorted.
func (s *Store) Indices(ctx context.Context, pattern string) ([]string, error) {
	return s.files.match(pattern), ctx.Err()
}

// Drop unlinks the file of an index, after everything that reads or writes it has ended.
func (s *Store) Drop(ctx context.Context, index string) error {
	if err := store.CheckIndex(index); err != nil {
		return fmt.Errorf("dropping an index: %w", err)
	}
	done := s.metrics.Observe("drop")
	err := s.files.drop(ctx, index)
	done(err)
	if err != nil {
		return fmt.Errorf("dropping index %s: %w", index, err)
	}
	return nil
}

// Close closes all files and gives the directory free.
func (s *Store) Close() error { return errors.Join(s.files.close(), s.lock.release()) }
