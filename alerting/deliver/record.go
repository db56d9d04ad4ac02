package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"imwatch/alerting/outbox"
	"imwatch/internal/store"
)

// lastWord is how long an answer may still be written down after everything else was told to stop.
const lastWord = 2 * time.Second

// record writes an answer down, as often as it takes: until it stands there, nothing else is sent to this receiver,
// because a crash would then repeat more than one notification. It gives up when ctx ends.
func (s *Sender) record(ctx context.Context, e *outbox.Entry, version string) error {
	for {
		err := s.recordOnce(ctx, e, version)
		if err == nil || ctx.Err() != nil {
			if err != nil {
				return s.recordLast(ctx, e, version)
			}
			return nil
		}
		if errors.Is(err, store.ErrRejected) {
			return err
		}
		s.Log.WithError(err).Warn("writing down a provider's answer failed, trying again")
		_ = sleep(ctx, storePause)
	}
}

func (s *Sender) recordLast(ctx context.Context, e *outbox.Entry, version string) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	return s.recordOnce(last, e, version)
}

func (s *Sender) recordOnce(ctx context.Context, e *outbox.Entry, version string) error {
	if e.State == outbox.Failed {
		if err := s.Observer.GivingUp(ctx, e); err != nil {
			return fmt.Errorf("passing on a failed notification: %w", err)
		}
	}
	_, err := s.Ledger.Save(ctx, e, version)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	// Our claim ended and another sender took the entry, or an earlier write of ours arrived although its answer did
	// not. What was accepted is accepted whoever claims it; anything else is left to the other one.
	now, version, err := s.Ledger.Get(ctx, e.Ref())
	if err != nil {
		return err
	}
	if now.State != outbox.Pending || e.State != outbox.Sent {
		return nil
	}
	if _, err = s.Ledger.Save(ctx, e, version); errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err) // changed once more: the caller comes back
	}
	return err
}
