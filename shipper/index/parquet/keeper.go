package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"imwatch/event"
	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
)

// Folders of the directory that hold no data. Readers of such directories pass over names with an underscore.
const (
	spansDir = "_spans"
	tmpDir   = "_tmp"
)

// strayAge is after how long an unfinished file of a crash is deleted.
const strayAge = 24 * time.Hour

// Keeper keeps chunks as files. Used by one goroutine; others may work in the same directory.
type Keeper struct {
	cfg     Config
	events  layout
	letters layout
	event   event.Event
}

var _ chunk.Keeper = (*Keeper)(nil)

// New makes the directory and deletes what a crash has left in it unfinished.
func New(cfg Config, now func() time.Time) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring Parquet files: %w", err)
	}
	for _, name := range []string{tmpDir, spansDir} {
		if err := makeDir(filepath.Join(cfg.Dir, name)); err != nil {
			return nil, fmt.Errorf("making the directory of Parquet files: %w", err)
		}
	}
	stray, err := os.ReadDir(filepath.Join(cfg.Dir, tmpDir))
	if err != nil {
		return nil, fmt.Errorf("looking for unfinished Parquet files: %w", err)
	}
	for _, f := range stray {
		if info, err := f.Info(); err == nil && now().Sub(info.ModTime()) > strayAge {
			_ = os.Remove(filepath.Join(cfg.Dir, tmpDir, f.Name())) // else it only takes room
		}
	}
	return &Keeper{cfg: cfg, events: events(), letters: letters()}, nil
}

// Keep writes a file for each day and class of the chunk, and gives all of them their names at the end.
func (k *Keeper) Keep(ctx context.Context, c chunk.Chunk) (err error) {
	files := map[string]*file{}
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.discard())
		}
	}()
	for _, it := range c.Items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := k.add(files, c, it); err != nil {
			return fmt.Errorf("writing Parquet files of %s, offsets %d to %d: %w", c.Place, c.From, c.To, err)
		}
	}
	for name, f := range files {
		if err := f.publish(filepath.Join(k.cfg.Dir, name)); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// add puts an item into the file of its day and class.
func (k *Keeper) add(files map[string]*file, c chunk.Chunk, it index.Item) error {
	if it.Letter {
		l, err := readLetter(it)
		if err != nil {
			return err
		}
		f, err := k.file(files, c, k.letters, filepath.Join("deadletters", day(l.At)))
		if err != nil {
			return err
		}
		f.rows.addLetter(it, l)
		return f.flush(false)
	}
	if err := event.Decode(it.Body, &k.event); err != nil {
		return fmt.Errorf("reading event %s again: %w", it.ID, err)
	}
	class := event.ClassOf(k.event.Text(event.FieldLogLevel)).Name
	f, err := k.file(files, c, k.events, filepath.Join("events", day(k.event.Time()), "class="+class))
	if err != nil {
		return err
	}
	f.rows.addEvent(it, &k.event)
	return f.flush(false)
}

func day(at time.Time) string { return "day=" + at.UTC().Format(time.DateOnly) }

// file gives the open file of a folder.
func (k *Keeper) file(files map[string]*file, c chunk.Chunk, l layout, folder string) (*file, error) {
	name := filepath.Join(folder, fmt.Sprintf("%s-%020d-%020d.parquet", c.Place, c.From, c.To))
	if f, there := files[name]; there {
		return f, nil
	}
	f, err := create(filepath.Join(k.cfg.Dir, tmpDir), l, codecs()[k.cfg.Compression], c)
	if err != nil {
		return nil, err
	}
	files[name] = f
	return f, nil
}
