package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"imwatch/alerting/silence"
	"imwatch/internal/store"
)

// ErrOver is returned (wrapped) for a silence that cannot be changed any more.
var ErrOver = errors.New("it is over")

// EndSilence ends a silence now. One that is over is left as it is.
func (d *Desk) EndSilence(ctx context.Context, who Who, id string) (*silence.Silence, error) {
	return d.change(ctx, who, id, "silence_end", func(s *silence.Silence, now time.Time) (bool, error) {
		if !s.Over(now).IsZero() {
			return false, nil
		}
		s.Ended, s.EndedBy = now.UTC(), who.Name
		return true, nil
	})
}

// EditSilence changes a silence that is not over by edit, which is called again where somebody else changed it meanwhile. What
// was changed stands in the audit. An error of edit is given back as it is.
func (d *Desk) EditSilence(ctx context.Context, who Who, id string, edit func(s *silence.Silence) error) (*silence.Silence, error) {
	return d.change(ctx, who, id, "silence_edit", func(s *silence.Silence, now time.Time) (bool, error) {
		if !s.Over(now).IsZero() {
			return false, fmt.Errorf("silence %q: %w", id, ErrOver)
		}
		before := *s
		if err := edit(s); err != nil {
			return false, err
		}
		s.ID, s.Ended, s.EndedBy, s.Edited, s.EditedBy = before.ID, before.Ended, before.EndedBy, before.Edited, before.EditedBy
		if len(changes(&before, s)) == 0 {
			return false, nil
		}
		if err := allowed(&before, s, now); err != nil {
			return false, err
		}
		s.Edited, s.EditedBy = now.UTC(), who.Name
		return true, nil
	})
}

// allowed gives the faults of a change.
func allowed(before, s *silence.Silence, now time.Time) error {
	var errs []error
	if !before.From.After(now) && !s.From.Equal(before.From) {
		errs = append(errs, fmt.Errorf("from: it began at %s, which cannot be changed any more", before.Clock(before.From)))
	}
	if !s.Until.IsZero() && !s.Until.After(now) {
		errs = append(errs, fmt.Errorf("until: %s is over already; end the silence instead", s.Clock(s.Until)))
	}
	return errors.Join(append(errs, s.Validate())...)
}

// Extend moves a silence's end: by a length, or to a time where that is given. A length of less than 0 shortens it.
func (d *Desk) Extend(ctx context.Context, who Who, id string, by time.Duration, to time.Time) (*silence.Silence, error) {
	return d.EditSilence(ctx, who, id, func(s *silence.Silence) error {
		switch {
		case !to.IsZero():
			s.Until = to.UTC()
		case s.Until.IsZero():
			return errors.New("for: the silence has no end that could be moved; give until")
		default:
			s.Until = s.Until.Add(by)
		}
		return nil
	})
}

// change changes a silence in the store, the audit first.
func (d *Desk) change(ctx context.Context, who Who, id, action string, do func(*silence.Silence, time.Time) (changed bool, err error)) (*silence.Silence, error) {
	if d.Fixed(id) {
		return nil, fmt.Errorf("silence %q: %w", id, ErrFixed)
	}
	recorded, said := false, ""
	for {
		doc, version, err := d.silenceDoc(ctx, id)
		if err != nil {
			return nil, err
		}
		s, before, now := doc.IM.Desk.Silence, *doc.IM.Desk.Silence, d.now()
		changed, err := do(s, now)
		if err != nil || !changed {
			return s, err
		}
		detail := strings.Join(changes(&before, s), "; ")
		if !recorded || said != detail {
			if err := d.record(ctx, entry(now, who, action, id, detail)); err != nil {
				return nil, err
			}
			recorded, said = true, detail
		}
		if err := d.swap(ctx, SilenceIndex, id, doc, version); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return nil, err
		}
		return s, d.noteSilence(s)
	}
}

func (d *Desk) silenceDoc(ctx context.Context, id string) (*document, string, error) {
	body, version, err := d.store.Get(ctx, SilenceIndex, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", fmt.Errorf("silence %q: %w", id, ErrUnknown)
	}
	if err != nil {
		return nil, "", fmt.Errorf("silence %q: %w", id, err)
	}
	doc, err := decode(body)
	if err == nil && doc.IM.Desk.Silence == nil {
		err = fmt.Errorf("silence %q: %w", id, ErrUnknown)
	}
	return doc, version, err
}

// changes says what is different, for the audit: name, old and new.
func changes(a, b *silence.Silence) []string {
	var list []string
	differs := func(name, was, is string) {
		if was != is {
			list = append(list, fmt.Sprintf("%s: %s → %s", name, orNone(was), orNone(is)))
		}
	}
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	differs("match", strings.Join(a.Match, " and "), strings.Join(b.Match, " and "))
	differs("author", a.Author, b.Author)
	differs("reason", a.Reason, b.Reason)
	differs("from", moment(a.From), moment(b.From))
	differs("until", moment(a.Until), moment(b.Until))
	differs("weekly", hours(a.Weekly), hours(b.Weekly))
	differs("zone", a.Zone, b.Zone)
	differs("kind", a.Kind, b.Kind)
	differs("all", fmt.Sprint(a.All), fmt.Sprint(b.All))
	return list
}

func hours(list []silence.Weekly) string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = w.String()
	}
	return strings.Join(texts, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
