package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"sync"
)

const suffix = ".sqlite"

// absent is the ts of a document without @timestamp: it sorts last and is in no time range.
const absent = math.MaxInt64

// schemaVersion is kept in each file's user_version.
const schemaVersion = 1

// file is one index. Its handles are there while it is open; the catalogue guards refs and the opening.
type file struct {
	name, path string

	// guarded by the catalogue's mutex
	refs     int
	dropping bool
	*handles // nil while closed

	write sync.Mutex // one writer a file
	bounds
}

// handles are the connections to one file: one that writes, any number that read.
type handles struct {
	readers *sql.DB
	writers *sql.DB
	writer  *sql.Conn
	insert  *sql.Stmt
	version *sql.Stmt
	replace *sql.Stmt
}

// dataSource makes the driver's name of a file, with settings for each connection.
func dataSource(path string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	u.RawQuery = url.Values{"_pragma": pragmas}.Encode()
	return u.String()
}

// openHandles opens the file and makes its table where it is new.
func openHandles(path string, fullSync bool) (*handles, error) {
	sync := "synchronous(NORMAL)" // with a write-ahead log: safe against a crash of the process
	if fullSync {
		sync = "synchronous(FULL)"
	}
	h := &handles{}
	var err error
	if h.writers, err = sql.Open("sqlite", dataSource(path, "page_size(8192)", "journal_mode(WAL)", sync, "journal_size_limit(67108864)", "busy_timeout(5000)")); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	h.writers.SetMaxOpenConns(1)
	if h.readers, err = sql.Open("sqlite", dataSource(path, "query_only(1)", "busy_timeout(5000)")); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), h.close())
	}
	h.readers.SetMaxIdleConns(2)
	if err := h.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), h.close())
	}
	return h, nil
}

func (h *handles) prepare() (err error) {
	ctx := context.Background()
	if h.writer, err = h.writers.Conn(ctx); err != nil {
		return err
	}
	var version int
	if err := h.writer.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch {
	case version > schemaVersion:
		return fmt.Errorf("the file is of version %d, this program knows up to %d", version, schemaVersion)
	case version == 0:
		if _, err := h.writer.ExecContext(ctx, schema()); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&h.insert, insertInto("OR IGNORE")},
		{&h.replace, insertInto("OR REPLACE")},
		{&h.version, "SELECT ver FROM docs WHERE id = ?"},
	} {
		if *s.into, err = h.writer.PrepareContext(ctx, s.text); err != nil {
			return err
		}
	}
	return nil
}

// close closes what is open. The last connection folds the write-ahead log into the file.
func (h *handles) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{h.insert, h.replace, h.version} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if h.readers != nil {
		errs = append(errs, h.readers.Close())
	}
	if h.writer != nil {
		errs = append(errs, h.writer.Close())
	}
	if h.writers != nil {
		errs = append(errs, h.writers.Close())
	}
	return errors.Join(errs...)
}
