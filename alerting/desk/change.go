package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"imwatch/alerting/silence"
	"imwatch/event"
	"imwatch/internal/store"
)

// Who is a person, or a program, who says something.
type Who struct {
	Name string
	Role string
	From string // address
}

// AddSilence keeps a new silence and gives it its id. It counts when AddSilence returns.
func (d *Desk) AddSilence(ctx context.Context, who Who, s silence.Silence) (*silence.Silence, error) {
	now := d.now()
	s.ID, s.Ended, s.EndedBy, s.Edited, s.EditedBy = strings.ToLower(rand.Text()[:16]), time.Time{}, "", time.Time{}, ""
	if s.Author == "" {
		s.Author = who.Name
	}
	if s.From.IsZero() {
		s.From = now.UTC()
	}
	err := s.Validate()
	if err == nil && !s.Until.IsZero() && !s.Until.After(now) {
		err = fmt.Errorf("until: %s is over already", s.Clock(s.Until))
	}
	if err != nil {
		return nil, err
	}
	if err := d.record(ctx, entry(now, who, "silence_create", s.ID, s.Reason)); err != nil {
		return nil, err
	}
	doc := newDocument(now, s.ID, datasetSilence, who.Name, s.Author+" silences "+strings.Join(s.Match, ", ")+": "+s.Reason)
	doc.IM.Desk.Silence = &s
	if err := d.put(ctx, SilenceIndex, s.ID, &doc); err != nil {
		return nil, err
	}
	return &s, d.noteSilence(&s)
}

// Acknowledge keeps that somebody looks after an alert for a while; it takes the place of an acknowledgement before.
func (d *Desk) Acknowledge(ctx context.Context, who Who, a *event.Alert, length time.Duration, note string) (*Ack, error) {
	now := d.now().UTC()
	k := &Ack{Alert: a.ID, Started: a.From, By: who.Name, Note: note, At: now, Until: now.Add(length), Severity: a.Severity}
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if err := d.record(ctx, entry(now, who, "ack", a.ID, note)); err != nil {
		return nil, err
	}
	return k, d.keepAck(ctx, who, k)
}

// TakeBack takes an acknowledgement back.
func (d *Desk) TakeBack(ctx context.Context, who Who, a *event.Alert) (*Ack, error) {
	d.mu.Lock()
	known := d.acks[a.ID]
	d.mu.Unlock()
	if known == nil || !known.Taken.IsZero() {
		return nil, fmt.Errorf("acknowledgement of %q: %w", a.ID, ErrUnknown)
	}
	now := d.now().UTC()
	if err := d.record(ctx, entry(now, who, "ack_take", a.ID, "")); err != nil {
		return nil, err
	}
	k := *known
	k.Taken, k.TakenBy = now, who.Name
	return &k, d.keepAck(ctx, who, &k)
}

// keepAck writes the one acknowledgement of an alert, whatever stood there.
func (d *Desk) keepAck(ctx context.Context, who Who, k *Ack) error {
	index, id := monthIndex(k.Started), "ack-"+k.Alert
	doc := newDocument(k.At, id, datasetAck, who.Name, k.By+" looks after "+k.Alert)
	doc.IM.Alert, doc.IM.Desk.Ack = &docAlert{k.Alert}, k
	for {
		_, version, err := d.store.Get(ctx, index, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("writing %s: %w", id, err)
		}
		if err := d.swap(ctx, index, id, &doc, version); !errors.Is(err, store.ErrConflict) {
			if err == nil {
				d.noteAck(k)
			}
			return err
		}
	}
}

func (d *Desk) swap(ctx context.Context, index, id string, doc *document, version string) error {
	body, err := encode(doc)
	if err != nil {
		return err
	}
	if _, err := d.store.Swap(ctx, store.Doc{Index: index, ID: id, Body: body}, version); err != nil {
		return fmt.Errorf("writing %s: %w", id, err)
	}
	return nil
}

// noteSilence has a silence count here at once.
func (d *Desk) noteSilence(s *silence.Silence) error {
	d.mu.Lock()
	silences := maps.Clone(d.silences)
	silences[s.ID] = s
	d.notes++
	err := d.open(silences)
	d.mu.Unlock()
	d.tell()
	return err
}

// noteAck has an acknowledgement count here at once.
func (d *Desk) noteAck(k *Ack) {
	d.mu.Lock()
	d.acks[k.Alert] = k
	d.notes++
	d.mu.Unlock()
	d.tell()
}

func entry(at time.Time, who Who, action, on, detail string) Entry {
	return Entry{At: at.UTC(), By: who.Name, Role: who.Role, From: who.From, Action: action, On: on, Detail: detail}
}
