package desk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"imwatch/alerting/oncall"
	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"

	"github.com/sirupsen/logrus"
)

// Store is what a desk needs of the store.
type Store interface {
	store.Writer
	Get(ctx context.Context, index, id string) (body []byte, version string, err error)
	Search(ctx context.Context, q store.Query) iter.Seq2[store.Hit, error]
}

// Desk is what people said, as far as it is known here. Make one with New; Run keeps it up to date. Safe for concurrent
// use.
type Desk struct {
	store Store
	now   func() time.Time
	log   logrus.FieldLogger
	fixed []*silence.Silence // of the configuration

	mu        sync.Mutex // guards the fields below
	silences  map[string]*silence.Silence
	book      *silence.Book
	acks      map[string]*Ack // by alert
	notes     int             // changes made here
	overrides map[string]*oncall.Override
	ordered   []*oncall.Override // the same, as they were made
	changed   func()             // set before Run
}

// New makes a desk with the silences of a configuration, which must be valid.
func New(s Store, fixed []*silence.Silence, now func() time.Time, log logrus.FieldLogger) (*Desk, error) {
	d := &Desk{store: s, now: now, log: log, fixed: fixed, silences: map[string]*silence.Silence{}, acks: map[string]*Ack{}, overrides: map[string]*oncall.Override{}}
	book, err := silence.NewBook(fixed)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the silence
	}
	d.book = book
	return d, nil
}

// OnChange has f called after each change of what is known. It must be called before Run.
func (d *Desk) OnChange(f func()) { d.changed = f }

// Held says whether a silence holds an alert now.
func (d *Desk) Held(a *event.Alert) (silence.Held, bool) {
	d.mu.Lock()
	book := d.book
	d.mu.Unlock()
	return book.Held(a, d.now())
}

// Acked gives the acknowledgement that counts for an alert now.
func (d *Desk) Acked(a *event.Alert) (Ack, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.acks[a.ID]
	if k == nil || a.State == event.StateResolved || !k.Holds(a.Severity, d.now()) {
		return Ack{}, false
	}
	return *k, true
}

// LastAck gives the last acknowledgement of an alert, whether it counts still or not. One of more than a week ago is
// forgotten.
func (d *Desk) LastAck(alertID string) (Ack, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.acks[alertID]
	if k == nil {
		return Ack{}, false
	}
	return *k, true
}

// Acks gives the last acknowledgement of each alert, in no order.
func (d *Desk) Acks() []Ack {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Ack, 0, len(d.acks))
	for _, k := range d.acks {
		list = append(list, *k)
	}
	return list
}

// Silences gives all that are kept, those of the configuration first, then in the order of their beginning.
func (d *Desk) Silences() []*silence.Silence {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*silence.Silence, 0, len(d.silences))
	for _, s := range d.silences {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *silence.Silence) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return slices.Concat(d.fixed, list)
}

// Fixed says whether a silence stands in the configuration.
func (d *Desk) Fixed(id string) bool {
	return slices.ContainsFunc(d.fixed, func(s *silence.Silence) bool { return s.ID == id })
}

// OfPeople gives the silences that people made, in no order.
func (d *Desk) OfPeople() []*silence.Silence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.silences))
}

// Run asks the store every so often what another alerter was told, until ctx ends.
func (d *Desk) Run(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	failed := false
	for {
		err := d.Load(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failed:
			d.log.WithError(err).Warn("reading silences and acknowledgements failed, trying again")
		case err == nil && failed:
			d.log.Info("silences and acknowledgements can be read again")
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Load reads everything from the store. What is changed here meanwhile makes it read again: it may not be in what was
// read.
func (d *Desk) Load(ctx context.Context) error {
	for {
		d.mu.Lock()
		notes := d.notes
		d.mu.Unlock()
		silences, acks, err := d.read(ctx)
		if err != nil {
			return err
		}
		overrides, err := d.readOverrides(ctx)
		if err != nil {
			return err
		}
		if ok, err := d.take(silences, acks, overrides, notes); ok || err != nil {
			return err
		}
	}
}

func (d *Desk) read(ctx context.Context) (map[string]*silence.Silence, map[string]*Ack, error) {
	for _, pattern := range []string{SilenceIndex, Indices} {
		if err := d.store.Refresh(ctx, pattern); err != nil {
			return nil, nil, fmt.Errorf("reading what people said: %w", err)
		}
	}
	silences, acks := map[string]*silence.Silence{}, map[string]*Ack{}
	err := d.search(ctx, store.Query{Indices: SilenceIndex, Where: ofDataset(datasetSilence)}, func(doc *document) {
		if s := doc.IM.Desk.Silence; s != nil && s.Validate() == nil && !d.forgotten(s) {
			silences[s.ID] = s
		}
	})
	if err != nil {
		return nil, nil, err
	}
	// An acknowledgement counts for a week at most.
	err = d.search(ctx, store.Query{Indices: Indices, From: d.now().Add(-MaxAck), Where: ofDataset(datasetAck)}, func(doc *document) {
		if a := doc.IM.Desk.Ack; a != nil {
			acks[a.Alert] = a
		}
	})
	return silences, acks, err
}

// remembered is how long a silence that is over is still shown.
const remembered = 7 * 24 * time.Hour

func (d *Desk) forgotten(s *silence.Silence) bool {
	limit := d.now().Add(-remembered)
	return !s.Until.IsZero() && s.Until.Before(limit) || !s.Ended.IsZero() && s.Ended.Before(limit)
}

// take puts what was read in place of what was known, unless something was noted since.
func (d *Desk) take(silences map[string]*silence.Silence, acks map[string]*Ack, overrides map[string]*oncall.Override, notes int) (ok bool, err error) {
	d.mu.Lock()
	if d.notes != notes {
		d.mu.Unlock()
		return false, nil
	}
	if err = d.open(silences); err == nil {
		d.acks = acks
		d.order(overrides)
	}
	d.mu.Unlock()
	d.tell()
	return true, err
}

// open makes the book of some silences. d.mu is held.
func (d *Desk) open(silences map[string]*silence.Silence) error {
	list := slices.Clone(d.fixed)
	for _, s := range silences {
		list = append(list, s)
	}
	book, err := silence.NewBook(list)
	if err != nil {
		return fmt.Errorf("reading what people said: %w", err)
	}
	d.silences, d.book = silences, book
	return nil
}

func (d *Desk) tell() {
	if d.changed != nil {
		d.changed()
	}
}

// search gives the documents of a query to take. One that cannot be read is told and left out.
func (d *Desk) search(ctx context.Context, q store.Query, take func(*document)) error {
	for hit, err := range d.store.Search(ctx, q) {
		if err != nil {
			return fmt.Errorf("reading what people said: %w", err)
		}
		doc, err := decode(hit.Body)
		if err != nil {
			d.log.WithError(err).WithField("id", hit.ID).Error("a document of the desk cannot be read and is left out")
			continue
		}
		take(doc)
	}
	return nil
}

func ofDataset(name string) filter.Expr {
	f := event.FieldByID(event.FieldEventDataset)
	return filter.Equal{Field: filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, Value: event.KeywordValue(name)}
}

func rank(severity string) int { return slices.Index(event.Severities(), severity) }

// ErrUnknown is returned (wrapped) for a silence or acknowledgement that is not there.
var ErrUnknown = errors.New("there is none")

// ErrFixed is returned (wrapped) for a silence of the configuration, which is changed there.
var ErrFixed = errors.New("it stands in the configuration and is changed there")
