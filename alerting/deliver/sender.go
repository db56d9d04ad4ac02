package deliver

import (
	"context"
	"errors"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/internal/store"

	"github.com/sirupsen/logrus"
)

// storePause is how long a sender leaves the store alone after a failed call.
const storePause = time.Second

// Channel makes one attempt to tell something. Implementations are safe for concurrent use and return soon after ctx
// ends.
type Channel interface {
	Send(ctx context.Context, n channel.Notification) channel.Result
}

// Observer hears what becomes of notifications. It is called by the sender's goroutine.
type Observer interface {
	// Attempted is called after each attempt, before it is written down.
	Attempted(e *outbox.Entry, r channel.Result)
	// GivingUp is called when an entry is about to be written down as failed. An error (of the store) makes the
	// sender try it again later, so what follows from a failure is done at least once.
	GivingUp(ctx context.Context, e *outbox.Entry) error
}

// Sender sends what is in one receiver's queue. Run may be called once.
type Sender struct {
	Config   Config
	Channel  Channel
	Queue    *Queue
	Pace     *Pace
	Ledger   *outbox.Ledger
	Observer Observer
	Instance string // who claims: different for every process
	Now      func() time.Time
	Log      logrus.FieldLogger
}

// Run sends until ctx ends; an attempt under way is then finished as long as hard lasts.
func (s *Sender) Run(ctx, hard context.Context) {
	for ctx.Err() == nil {
		r, wait, ok := s.Queue.Next(s.Now())
		if !ok {
			s.idle(ctx, wait)
			continue
		}
		if !s.pace(ctx) {
			s.Queue.Again(r, r.Due)
			return
		}
		again, done, made := s.attempt(hard, r)
		s.Pace.End(s.Now(), made)
		if done {
			s.Queue.Drop(r)
		} else {
			s.Queue.Again(r, again)
		}
	}
}

func (s *Sender) idle(ctx context.Context, wait time.Duration) {
	var timer <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-s.Queue.Changed():
	}
}

// pace waits for a place in the budget; false: ctx has ended.
func (s *Sender) pace(ctx context.Context) bool {
	for {
		d := s.Pace.Take(s.Now())
		if d <= 0 {
			return true
		}
		if sleep(ctx, d) != nil {
			return false
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// attempt claims an entry, sends it and writes the answer down. done: the queue may forget it; else it is due again
// at the time given. made: the provider was called.
func (s *Sender) attempt(ctx context.Context, r outbox.Ref) (again time.Time, done, made bool) {
	e, version, again, err := s.claim(ctx, r)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.Log.WithField("notification", r.ID).Warn("a pending notification is gone from the store")
		return again, true, false
	case errors.Is(err, store.ErrConflict):
		return s.Now().Add(s.Config.pause(1)), false, false
	case err != nil:
		s.Log.WithError(err).Warn("claiming a notification failed, it is tried again")
		return s.Now().Add(storePause), false, false
	case e == nil:
		return again, again.IsZero(), false
	}
	sendCtx, cancel := context.WithTimeout(ctx, s.Config.Timeout)
	defer cancel()
	result := s.Channel.Send(sendCtx, e.Notification())
	now := s.Now()
	if result.After > 0 {
		s.Pace.Block(now.Add(result.After))
	}
	s.settle(e, result, now)
	s.Observer.Attempted(e, result)
	if err := s.record(ctx, e, version); err != nil {
		s.Log.WithError(err).WithField("verdict", result.Verdict.String()).
			Error("writing down a provider's answer failed; once the claim has ended the notification is sent again")
	}
	return e.RetryAt, e.State != outbox.Pending, true
}

// claim reserves an entry. A nil entry without an error is not ours to send now: it is again at the time given, or
// never if that is zero.
func (s *Sender) claim(ctx context.Context, r outbox.Ref) (*outbox.Entry, string, time.Time, error) {
	e, version, err := s.Ledger.Get(ctx, r)
	if err != nil {
		return nil, "", time.Time{}, err
	}
	now := s.Now()
	switch {
	case e.State != outbox.Pending:
		return nil, "", time.Time{}, nil
	case e.Claim.By != "" && e.Claim.By != s.Instance && now.Before(e.Claim.Until):
		return nil, "", e.Claim.Until, nil
	case now.Before(e.RetryAt):
		return nil, "", e.RetryAt, nil
	}
	if wait, err := s.behind(ctx, e); wait || err != nil {
		return nil, "", now.Add(storePause), err
	}
	if over, err := s.overtaken(ctx, e, version); over || err != nil {
		return nil, "", time.Time{}, err
	}
	e.Claim = outbox.Claim{By: s.Instance, Until: now.Add(s.Config.Lease)}
	if version, err = s.Ledger.Save(ctx, e, version); err != nil {
		return nil, "", time.Time{}, err
	}
	if s.Now().After(e.Claim.Until.Add(-s.Config.Timeout)) { // the store was so slow that the claim might end before the attempt
		return nil, "", s.Now(), nil
	}
	return e, version, time.Time{}, nil
}

// settle writes an answer into the entry.
func (s *Sender) settle(e *outbox.Entry, r channel.Result, now time.Time) {
	e.Attempts++
	if e.FirstTry.IsZero() {
		e.FirstTry = now
	}
	e.LastTry, e.RetryAt, e.Claim = now, time.Time{}, outbox.Claim{}
	e.Verdict, e.Answer = r.Verdict.String(), r.Words
	e.Took = append(e.Took, r.Took...)
	switch r.Verdict {
	case channel.Accepted, channel.Partial:
		e.State, e.SentAt = outbox.Sent, now
	case channel.Permanent:
		e.State = outbox.Failed
	case channel.Retry, channel.Unanswered:
		e.RetryAt = now.Add(max(s.Config.pause(e.Attempts), r.After))
		if e.RetryAt.After(e.FirstTry.Add(s.Config.Deadline)) {
			e.State, e.RetryAt = outbox.Failed, time.Time{}
		}
	}
}
