package alerting

import (
	"context"
	"errors"
	"time"

	"imwatch/alerting/outbox"
	"imwatch/internal/store"
)

// runSweeps looks for what another alerter left behind, until ctx ends.
func (a *Alerter) runSweeps(ctx context.Context) {
	t := time.NewTicker(a.cfg.Sweep)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := a.findPending(ctx); err != nil && ctx.Err() == nil {
			a.log.WithError(err).Warn("looking for pending notifications failed, trying again")
		}
	}
}

// findPending puts what is pending in the store into the queues.
func (a *Alerter) findPending(ctx context.Context) error {
	refs, err := a.ledger.Pending(ctx, func(id string, err error) {
		a.log.WithError(err).WithField("notification", id).Error("a pending notification cannot be read and is not sent")
	})
	if err != nil {
		return err
	}
	for _, r := range refs {
		if to, ok := a.receivers[r.Receiver]; ok {
			to.queue.Add(r)
		} else if err := a.abandon(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// abandon writes a notification down as failed whose receiver is not configured here. A younger one is left alone:
// while a new configuration is rolled out, another alerter may know the receiver.
func (a *Alerter) abandon(ctx context.Context, r outbox.Ref) error {
	e, version, err := a.ledger.Get(ctx, r)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if e.State != outbox.Pending || a.now().Before(e.At.Add(a.cfg.Delivery.Deadline)) || a.now().Before(e.Claim.Until) {
		return nil
	}
	e.State, e.Verdict, e.Answer, e.Claim = outbox.Failed, "permanent", "the receiver is no longer configured", outbox.Claim{}
	a.log.WithField("receiver", r.Receiver).WithField("alert", r.AlertID).Error("a notification's receiver is no longer configured; it has failed")
	if _, err := a.ledger.Save(ctx, e, version); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}
