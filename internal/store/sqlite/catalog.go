package sqlite

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"imwatch/internal/store"
)

// errGone says that an index is not there.
var errGone = errors.New("no such index")

// catalog knows the files of the directory, which is ours alone, and keeps a bounded number of them open.
type catalog struct {
	dir      string
	maxOpen  int
	fullSync bool

	mu      sync.Mutex
	files   map[string]*file
	idle    *list.List // open files that nobody uses, least recently used first
	places  map[*file]*list.Element
	open    int
	changed chan struct{} // closed and made anew whenever a file is released or gone
}

func newCatalog(cfg Config) (*catalog, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the store's directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the store's directory: %w", err)
	}
	c := &catalog{
		dir: dir, maxOpen: cfg.MaxOpenFiles, fullSync: cfg.FullSync,
		files: map[string]*file{}, idle: list.New(), places: map[*file]*list.Element{}, changed: make(chan struct{}),
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && store.CheckIndex(name) == nil {
			c.files[name] = c.file(name)
		}
	}
	return c, nil
}

func (c *catalog) file(name string) *file {
	return &file{name: name, path: filepath.Join(c.dir, name+suffix)}
}

func (c *catalog) match(pattern string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name, f := range c.files {
		if !f.dropping && store.MatchIndex(pattern, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// acquire gives an open file, which stays open until it is released. Without create, errGone where there is none.
func (c *catalog) acquire(ctx context.Context, name string, create bool) (*file, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f := c.files[name]
		switch {
		case f == nil && !create:
			return nil, errGone
		case f == nil:
			f = c.file(name)
			if err := c.use(f); err != nil {
				return nil, err
			}
			c.files[name] = f
			return f, nil
		case !f.dropping:
			return f, c.use(f)
		}
		c.wait(ctx)
	}
}

// use opens f if need be and counts one more user.
func (c *catalog) use(f *file) error {
	if f.handles == nil {
		c.makeRoom()
		h, err := openHandles(f.path, c.fullSync)
		if err != nil {
			return err
		}
		f.handles = h
		c.open++
	}
	if place := c.places[f]; place != nil {
		c.idle.Remove(place)
		delete(c.places, f)
	}
	f.refs++
	return nil
}

// makeRoom closes idle files until one more may be opened. Where all are in use, the bound is exceeded for a while:
// a query that reads many files at once must not wait for itself.
func (c *catalog) makeRoom() {
	for c.open >= c.maxOpen && c.idle.Len() > 0 {
		_ = c.shut(c.idle.Front().Value.(*file)) // nothing is lost by it: the write-ahead log is read at the next opening
	}
}

func (c *catalog) shut(f *file) error {
	if place := c.places[f]; place != nil {
		c.idle.Remove(place)
		delete(c.places, f)
	}
	err := f.close()
	f.handles = nil
	c.open--
	return err
}

func (c *catalog) release(f *file) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.refs--; f.refs > 0 {
		return
	}
	if c.places[f] = c.idle.PushBack(f); c.open > c.maxOpen {
		c.makeRoom()
	}
	c.tell()
}

func (c *catalog) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait gives the mutex free until something has changed or ctx ends.
func (c *catalog) wait(ctx context.Context) {
	ch := c.changed
	c.mu.Unlock()
	select {
	case <-ch:
	case <-ctx.Done():
	}
	c.mu.Lock()
}

// drop waits for the file's users and unlinks it. SQLite removes a write-ahead log by its name when it closes a file,
// so a new file of the same name must not exist before the old one is closed.
func (c *catalog) drop(ctx context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	f := c.files[name]
	if f == nil || f.dropping {
		return nil
	}
	f.dropping = true
	for f.refs > 0 {
		if err := ctx.Err(); err != nil {
			f.dropping = false
			c.tell()
			return err
		}
		c.wait(ctx)
	}
	if f.handles != nil {
		_ = c.shut(f) // the file goes away in any case
	}
	if err := unlink(f.path); err != nil {
		f.dropping = false
		c.tell()
		return err
	}
	delete(c.files, name)
	c.tell()
	return nil
}

func unlink(path string) error {
	// The database first: without it the others mean nothing, so a crash in between leaves no half of an index.
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (c *catalog) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, f := range c.files {
		if f.handles != nil {
			errs = append(errs, c.shut(f))
		}
	}
	return errors.Join(errs...)
}
