package imserver

import (
	"context"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// catchPage is how many older messages are read at a time.
const catchPage = 100

// read gives a session what was published in a topic behind a position, and then what was held back meanwhile. The
// first page is read at once, and what is more in the background, no faster than the client takes it.
func (s *Server) read(ctx context.Context, x *session, c *conn, topic string, from position) {
	if done, at := s.readPage(ctx, x, topic, from); !done {
		s.background(func(ctx context.Context) { s.readOn(ctx, x, c, topic, at) })
	}
}

func (s *Server) readOn(ctx context.Context, x *session, c *conn, topic string, at position) {
	for {
		c.waitWriter(s.conf().Timeouts.Write)
		if c.isEnding() {
			s.endSession(x, false) // its inbox says where the next one goes on
			return
		}
		done := false
		if done, at = s.readPage(ctx, x, topic, at); done {
			return
		}
	}
}

// readPage gives a session one page, and the place behind it; done: there is no more.
func (s *Server) readPage(ctx context.Context, x *session, topic string, at position) (done bool, next position) {
	page, err := s.cluster.Read(ctx, topic, at.offset, catchPage)
	if err != nil {
		s.report("reading a topic", err)
		x.tellGap(event.ActionTopicGap, topic, 0)
		x.caughtUp(topic, at)
		return true, at
	}
	switch {
	case at.epoch != "" && page.Epoch != "" && page.Epoch != at.epoch:
		return false, position{epoch: page.Epoch} // all that is kept is new
	case page.First > at.offset+1 && at.epoch != "":
		action := event.ActionTopicGap
		if topic[:2] == cluster.User {
			action = event.ActionMessageExpired
		}
		x.tellGap(action, topic, page.First-1-at.offset)
		at.offset = page.First - 1
	}
	at.epoch = page.Epoch
	x.mu.Lock()
	for i := range page.Messages {
		if d := (&delivery{Message: &page.Messages[i]}); !x.ended && (d.Session != x.id || topic[:2] == cluster.User) {
			x.give(d)
		}
		at.offset = page.Messages[i].Offset
	}
	x.mu.Unlock()
	if len(page.Messages) == catchPage {
		return false, at
	}
	x.caughtUp(topic, at)
	return true, at
}

// caughtUp gives a session what was held back, and lets what comes go straight to it.
func (x *session) caughtUp(topic string, at position) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.catch[topic]
	if w == nil {
		return
	}
	for _, d := range w.held {
		if d.Offset == 0 || d.Epoch != at.epoch || d.Offset > at.offset {
			x.give(d)
		}
	}
	if delete(x.catch, topic); len(x.catch) == 0 {
		x.catch = nil
	}
}
