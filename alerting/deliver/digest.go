package deliver

import (
	"context"
	"slices"
	"sync"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/event"
)

// maxFold is how many notifications one digest tells at most: as many as can be claimed and written down well inside
// a claim. hands is how many of them are written at the same time.
const (
	maxFold = 500
	hands   = 8
)

// digest claims several entries, tells them in one message and writes the answer down in each. Of what could not be
// claimed the queue has been told. made: the provider was called.
func (s *Sender) digest(ctx context.Context, refs []outbox.Ref) (made bool) {
	taken := make([]claimed, len(refs))
	each(len(refs), func(i int) {
		if c, ok := s.take(ctx, refs[i], nil); ok {
			taken[i] = c
		}
	})
	return s.tell(ctx, refs, taken)
}

// tell sends what could be claimed of refs in one message.
func (s *Sender) tell(ctx context.Context, refs []outbox.Ref, taken []claimed) (made bool) {
	var mine []claimed
	var names []outbox.Ref
	for i, c := range taken {
		switch {
		case c.entry == nil:
		case s.Now().After(c.by): // the store was so slow that the claim might end before the attempt
			s.Queue.Again(refs[i], s.Now())
		case len(mine) > 0 && !slices.Equal(c.entry.Took, mine[0].entry.Took): // some addresses have this one already, or the others
			s.Queue.Again(refs[i], s.Now())
		default:
			mine, names = append(mine, c), append(names, refs[i])
		}
	}
	if len(mine) == 0 {
		return false
	}
	entries, attempts := make([]*outbox.Entry, len(mine)), 0
	for i, c := range mine {
		entries[i], attempts = c.entry, max(attempts, c.entry.Attempts+1)
	}
	n, id := entries[0].Notification(), ""
	if len(entries) > 1 {
		n = Together(entries, s.Fold)
		id = n.ID
	}
	result := s.send(ctx, n)
	if id != "" {
		s.Observer.Folded(entries, result)
	}
	now, pause := s.Now(), s.Config.pause(attempts) // one pause for all: what was told together is tried again together
	for _, e := range entries {
		e.Digest = id
		s.settle(e, result, now, pause)
		s.Observer.Attempted(e, result)
	}
	each(len(mine), func(i int) { s.finish(ctx, names[i], mine[i], result) })
	s.toldGroups(entries, now)
	return true
}

// Together makes the one notification of several entries, with the words of fold. Its alert is the gravest that is not over.
func Together(entries []*outbox.Entry, fold func([]*outbox.Entry) channel.Message) channel.Notification {
	grave := slices.MaxFunc(entries, func(a, b *outbox.Entry) int { return weight(a) - weight(b) })
	n := channel.Notification{
		ID: outbox.DigestID(entries), Receiver: grave.Receiver, Kind: channel.Digest, Alert: grave.Alert, Message: fold(entries),
		Done: entries[0].Took,
	}
	if id, ok := outbox.OneGroup(entries); ok {
		n.Group = id
	}
	return n
}

func weight(e *outbox.Entry) int {
	if e.Kind == channel.Resolved {
		return -1
	}
	return slices.Index(event.Severities(), e.Alert.Severity)
}

// each calls do for 0 to n-1, some at the same time, and returns when all have ended.
func each(n int, do func(i int)) {
	var wg sync.WaitGroup
	free := make(chan struct{}, hands)
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			do(i)
		})
	}
	wg.Wait()
}
