package deliver

import (
	"context"
	"slices"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
)

// Hold is why something is not told now.
type Hold struct {
	Why   string    // silenced, inhibited, acknowledged: the entry's verdict meanwhile
	Words string    // by whom, until when: the entry's answer
	Until time.Time // look again then; sooner when Queue.Release is called
	Never bool      // it is not told at all
	Marks []string  // marks of the maintenance windows that hold it
}

// Gate says what is not to be told now. Safe for concurrent use.
type Gate func(e *outbox.Entry, now time.Time) (h Hold, held bool)

// hold asks the gate about an entry that is due, and writes down what it says. The end of an alert is never held: whoever
// was told of it waits for that. What is held when its alert is over, and the end of what was never told, is superseded.
func (s *Sender) hold(ctx context.Context, e *outbox.Entry, version string) (until time.Time, held bool, err error) {
	if e.Kind == channel.Resolved {
		held, err = s.untold(ctx, e)
		if held && err == nil {
			err = s.supersede(ctx, e, version, "over", "its beginning was not told either")
		}
		return time.Time{}, held, err
	}
	if s.Gate == nil {
		return time.Time{}, false, nil
	}
	h, held := s.Gate(e, s.Now())
	if !held {
		return time.Time{}, false, nil
	}
	if !h.Never {
		end, err := s.look(ctx, e, outbox.ID(e.Alert.ID, channel.Resolved, e.Moment, e.Receiver))
		if err != nil {
			return time.Time{}, true, err
		}
		h.Never = end != nil
	}
	marked := mark(e, h.Marks)
	if h.Never {
		e.Held = h.Why
		return time.Time{}, true, s.supersede(ctx, e, version, h.Why, h.Words)
	}
	if e.Verdict != h.Why || e.Answer != h.Words || marked {
		e.Verdict, e.Answer, e.Held = h.Why, h.Words, h.Why
		if _, err := s.Ledger.Save(ctx, e, version); err != nil {
			return time.Time{}, true, err
		}
		s.Observer.Held(e)
	}
	return h.Until, true, nil
}

// mark writes down which maintenance windows held an entry, in the same write as that it is held: what is counted at their
// end is what they held. changed: one is new.
func mark(e *outbox.Entry, marks []string) (changed bool) {
	for _, m := range marks {
		if !slices.Contains(e.Windows, m) {
			e.Windows, changed = append(e.Windows, m), true
		}
	}
	return changed
}

// untold says whether the beginning of an alert that is over was held back until its end.
func (s *Sender) untold(ctx context.Context, e *outbox.Entry) (bool, error) {
	first, err := s.look(ctx, e, began(e))
	return err == nil && first != nil && first.State == outbox.Superseded, err
}

func (s *Sender) supersede(ctx context.Context, e *outbox.Entry, version, why, words string) error {
	e.State, e.Verdict, e.Answer = outbox.Superseded, why, words
	if _, err := s.Ledger.Save(ctx, e, version); err != nil {
		return err
	}
	s.Observer.Held(e)
	return nil
}
