package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"imwatch/internal/disk"
	"imwatch/shipper/index/chunk"
)

// spansKept is how many of a partition's spans are remembered: no replay should reach back further.
const spansKept = 16 << 10

// Span lays a span down as a file that is named by its first offset and holds the last one. It appears whole or not
// at all, and only if there is none of that name: so the first decides.
func (k *Keeper) Span(_ context.Context, at chunk.Place, want chunk.Span) (chunk.Span, error) {
	span, err := k.span(filepath.Join(k.cfg.Dir, spansDir, at.String()), want)
	if err != nil {
		return span, fmt.Errorf("laying down where %s is cut: %w", at, err)
	}
	return span, nil
}

func (k *Keeper) span(dir string, want chunk.Span) (chunk.Span, error) {
	if err := makeDir(dir); err != nil {
		return want, err
	}
	near, err := neighbours(dir, want.From)
	if err != nil {
		return want, err
	}
	span, there := chunk.Cut(near, want)
	if !there {
		err := k.create(filepath.Join(dir, spanName(span.From)), span.To)
		if errors.Is(err, os.ErrExist) { // another one was quicker
			span.To, err = readSpan(dir, span.From)
		}
		if err != nil {
			return want, err
		}
	}
	return span, disk.SyncDir(dir) // also what another one has made, and may not have flushed yet
}

func spanName(from int64) string { return fmt.Sprintf("%020d", from) }

// neighbours gives the span that begins at from or last before it, and the next one behind it.
func neighbours(dir string, from int64) ([]chunk.Span, error) {
	files, err := os.ReadDir(dir) // sorted by name, and so by offset
	if err != nil {
		return nil, err
	}
	for len(files) > spansKept {
		if err := os.Remove(filepath.Join(dir, files[0].Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		files = files[1:]
	}
	behind := sort.Search(len(files), func(i int) bool { return files[i].Name() > spanName(from) })
	var near []chunk.Span
	for _, f := range files[max(0, behind-1):min(len(files), behind+1)] {
		first, err := strconv.ParseInt(f.Name(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s does not belong here: its name is no offset", filepath.Join(dir, f.Name()))
		}
		last, err := readSpan(dir, first)
		if err != nil {
			return nil, err
		}
		near = append(near, chunk.Span{From: first, To: last})
	}
	return near, nil
}

func readSpan(dir string, from int64) (int64, error) {
	name := filepath.Join(dir, spanName(from))
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	to, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || to < from {
		return 0, fmt.Errorf("%s holds %q, which is no offset from %d on", name, text, from)
	}
	return to, nil
}

// create makes a file that is there whole or not at all, and fails if one of its name is there.
func (k *Keeper) create(name string, to int64) error {
	f, err := os.CreateTemp(filepath.Join(k.cfg.Dir, tmpDir), "*.span")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", to)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), name)
	}
	return errors.Join(err, os.Remove(f.Name()))
}
