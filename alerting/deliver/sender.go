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

// Observer hears what becomes of notifications. Its methods are called by one goroutine of a sender at a time, but for
// GivingUp.
type Observer interface {
	// Attempted is called after each attempt, before it is written down.
	Attempted(e *outbox.Entry, r channel.Result)
	// GivingUp is called when an entry is about to be written down as failed. An error (of the store) makes the
	// sender try it again later, so what follows from a failure is done at least once.
	GivingUp(ctx context.Context, e *outbox.Entry) error
	// Folded is called after a digest of several entries was sent, before their Attempted.
	Folded(entries []*outbox.Entry, r channel.Result)
	// Held is called when an entry was held back by the gate, again when that is for another reason, or when it is not
	// told at all for it.
	Held(e *outbox.Entry)
	// Throttled is called when something that is due has waited for the provider's budget, for so long.
	Throttled(waited time.Duration)
}

// Sender sends what is in one receiver's queue. Run may be called once.
type Sender struct {
	Config   Config
	Channel  Channel
	Queue    *Queue
	Pace     Pacer
	Ledger   *outbox.Ledger
	Observer Observer
	Instance string // who claims: different for every process
	Now      func() time.Time
	Log      logrus.FieldLogger
	// Fold puts several entries into the words of one message. It is called only where the pace folds.
	Fold func(entries []*outbox.Entry) channel.Message
	// Gate says what is not to be told now; nil: everything is.
	Gate Gate

	by time.Time // when the attempt under way must have ended, by its turn; zero: whenever
}

// Run sends until ctx ends; an attempt under way is then finished as long as hard lasts.
func (s *Sender) Run(ctx, hard context.Context) {
	for ctx.Err() == nil {
		now := s.Now()
		head, urgent, wait, ok := s.Queue.Head(now)
		if !ok {
			s.idle(ctx, wait)
			continue
		}
		if groups := s.Queue.Unsure(now, maxAsked); len(groups) > 0 {
			s.ask(ctx, groups)
			continue
		}
		turn, d := s.Pace.Take(ctx, now, urgent)
		if d > 0 {
			s.idle(ctx, d) // something more urgent may come meanwhile
			s.Observer.Throttled(max(0, s.Now().Sub(now)))
			continue
		}
		made := false
		s.by = turn.By
		if n := s.several(now, urgent); n > 1 {
			made = s.digest(hard, s.Queue.Take(now, n))
		} else if head.Group != "" {
			made = s.group(hard, s.Queue.TakeGroup(head.Group, now, maxFold))
		} else if refs := s.Queue.Take(now, 1); len(refs) == 1 && refs[0].Group != "" { // it came just now
			s.Queue.Again(refs[0], refs[0].Due)
		} else if len(refs) == 1 {
			made = s.single(hard, refs[0])
		}
		turn.End(s.Now(), made)
	}
}

// several says how many notifications at most are told in one now; 1: none are folded.
func (s *Sender) several(now time.Time, urgent bool) int {
	if s.Fold == nil {
		return 1
	}
	if n, ok := s.Pace.Folds(now, urgent); ok && s.Queue.Waiting(now, urgent, n) >= n {
		return maxFold
	}
	return 1
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

// claimed is an entry that is ours to send.
type claimed struct {
	entry   *outbox.Entry // nil: it is not ours to send now
	held    bool          // by the gate
	lost    bool          // another one sends it, or has sent it
	version string
	by      time.Time // the attempt must have begun by then
}

// take claims what is named. Where it is not ours to send now, ok is false and the queue has been told.
// with names what is ours already and goes out in the same message.
func (s *Sender) take(ctx context.Context, r outbox.Ref, with map[string]bool) (c claimed, ok bool) {
	c, again, err := s.claim(ctx, r, with)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.Log.WithField("notification", r.ID).Warn("a pending notification is gone from the store")
		s.Queue.Drop(r)
	case errors.Is(err, store.ErrConflict):
		c.lost = true
		s.Queue.Again(r, s.Now().Add(s.Config.pause(1)))
	case err != nil:
		s.Log.WithError(err).Warn("claiming a notification failed, it is tried again")
		s.Queue.Again(r, s.Now().Add(storePause))
	case c.held && !again.IsZero():
		s.Queue.Hold(r, again)
	case c.entry != nil:
		return c, true
	case again.IsZero():
		s.Queue.Drop(r)
	default:
		s.Queue.Again(r, again)
	}
	return c, false
}

// single claims an entry, sends it and writes the answer down. made: the provider was called.
func (s *Sender) single(ctx context.Context, r outbox.Ref) (made bool) {
	c, ok := s.take(ctx, r, nil)
	if !ok {
		return false
	}
	if s.Now().After(c.by) { // the store was so slow that the claim might end before the attempt
		s.Queue.Again(r, s.Now())
		return false
	}
	result := s.send(ctx, c.entry.Notification())
	c.entry.Digest = ""
	s.settle(c.entry, result, s.Now(), s.Config.pause(c.entry.Attempts+1))
	s.Observer.Attempted(c.entry, result)
	s.finish(ctx, r, c, result)
	return true
}

// send makes one attempt.
func (s *Sender) send(ctx context.Context, n channel.Notification) channel.Result {
	attempt, cancel := context.WithTimeout(ctx, s.Config.Timeout)
	defer cancel()
	result := s.Channel.Send(attempt, n)
	if result.After > 0 {
		s.Pace.Block(ctx, s.Now(), s.Now().Add(result.After))
	}
	return result
}

// finish writes an answer down and tells the queue.
func (s *Sender) finish(ctx context.Context, r outbox.Ref, c claimed, result channel.Result) {
	if err := s.record(ctx, c.entry, c.version); err != nil {
		s.Log.WithError(err).WithField("verdict", result.Verdict.String()).
			Error("writing down a provider's answer failed; once the claim has ended the notification is sent again")
	}
	if c.entry.State == outbox.Pending {
		s.Queue.Again(r, c.entry.RetryAt)
	} else {
		s.Queue.Drop(r)
	}
}

// claim reserves an entry. No entry and no error: it is not ours to send now, but again at the time given, or never
// if that is zero.
func (s *Sender) claim(ctx context.Context, r outbox.Ref, with map[string]bool) (c claimed, again time.Time, err error) {
	e, version, err := s.Ledger.Get(ctx, r)
	if err != nil {
		return c, again, err
	}
	now := s.Now()
	switch {
	case e.State != outbox.Pending:
		return claimed{lost: true}, again, nil
	case e.Claim.By != "" && e.Claim.By != s.Instance && now.Before(e.Claim.Until):
		return claimed{lost: true}, e.Claim.Until, nil
	case now.Before(e.RetryAt):
		return c, e.RetryAt, nil
	}
	if wait, err := s.behind(ctx, e, with); wait || err != nil {
		return c, now.Add(storePause), err
	}
	if over, err := s.overtaken(ctx, e, version); over || err != nil {
		return c, again, err
	}
	if until, held, err := s.hold(ctx, e, version); held || err != nil {
		return claimed{held: held}, until, err
	}
	e.Claim = outbox.Claim{By: s.Instance, Until: now.Add(s.Config.Lease)}
	if version, err = s.Ledger.Save(ctx, e, version); err != nil {
		return c, again, err
	}
	return claimed{entry: e, version: version, by: s.begin(e.Claim.Until)}, again, nil
}

// begin gives when an attempt must have begun to have ended by the end of its claim and of its turn.
func (s *Sender) begin(until time.Time) time.Time {
	if !s.by.IsZero() && s.by.Before(until) {
		until = s.by
	}
	return until.Add(-s.Config.Timeout)
}

// settle writes an answer into the entry. pause is how long to wait where it is to be tried again.
func (s *Sender) settle(e *outbox.Entry, r channel.Result, now time.Time, pause time.Duration) {
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
	case channel.Retry, channel.Unanswered, channel.Refresh:
		e.RetryAt = now.Add(max(pause, r.After))
		if e.RetryAt.After(e.FirstTry.Add(s.Config.Deadline)) {
			e.State, e.RetryAt = outbox.Failed, time.Time{}
		}
	}
}
