package imserver

import (
	"context"
	"errors"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// catchPage is how many older messages are read at a time, and catchHeld how many are held back meanwhile.
const (
	catchPage = 100
	catchHeld = 1000
)

// catchUp is a topic of which a session is being given older messages. It outlives a connection: the next one goes on.
// Guarded by the session.
type catchUp struct {
	at      position    // behind what the session was given
	unknown bool        // at is still to be asked for: it is that of the user's inbox
	reading bool        // somebody reads
	held    []*delivery // what is published meanwhile
	more    bool        // and was not held: the log has it
}

// hold keeps back what is published.
func (w *catchUp) hold(d *delivery) {
	if !w.reading || len(w.held) >= catchHeld {
		w.held, w.more = nil, true
		return
	}
	w.held = append(w.held, d)
}

// read gives a session what was published in a topic behind the place where it stands, and then what was held back
// meanwhile. The first page is read at once, and what is more in the background, no faster than the client takes it.
func (s *Server) read(ctx context.Context, x *session, topic string) {
	if done, err := s.readPage(ctx, x, topic); !done || err != nil {
		s.background(func(ctx context.Context) { s.readOn(ctx, x, topic) })
	}
}

// readAgain goes on with what was being read when the connection before was lost.
func (s *Server) readAgain(x *session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for topic, w := range x.catch {
		if !w.reading {
			w.reading = true
			s.background(func(ctx context.Context) { s.readOn(ctx, x, topic) })
		}
	}
}

// readOn reads until there is no more, or no connection to give it to. While what the nodes share is lost it waits.
func (s *Server) readOn(ctx context.Context, x *session, topic string) {
	for {
		c := x.connection()
		if c != nil {
			c.waitWriter(s.conf().Timeouts.Write)
		}
		if c == nil || c.isEnding() {
			if x.park(topic, c) {
				return
			}
			continue
		}
		done, err := s.readPage(ctx, x, topic)
		if done || err != nil && !s.pause(ctx, mendRetry) {
			return
		}
	}
}

// park ends reading, unless the session has another connection by now, and says so.
func (x *session) park(topic string, c *conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.c != c {
		return false
	}
	if w := x.catch[topic]; w != nil {
		w.reading, w.held, w.more = false, nil, true
	}
	return true
}

// readPage gives a session one page; done: there is no more.
func (s *Server) readPage(ctx context.Context, x *session, topic string) (done bool, err error) {
	x.mu.Lock()
	w := x.catch[topic]
	if w == nil {
		x.mu.Unlock()
		return true, nil
	}
	at, unknown := w.at, w.unknown
	x.mu.Unlock()
	if a := s.topics.of(topic); a != nil && a.strays() {
		return false, errNotSituated
	}
	if unknown {
		at.epoch, at.offset, err = s.cluster.Inbox(ctx, x.user, x.device)
		if s.report("reading an inbox", err); err != nil {
			return false, err
		}
	}
	page, err := s.cluster.Read(ctx, topic, at.offset, catchPage)
	if s.report("reading a topic", err); err != nil {
		return false, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.catch[topic] != w {
		return true, nil
	}
	if w.at, w.unknown = at, false; unknown {
		x.inbox = at
	}
	return x.take(w, topic, &page), nil
}

// errNotSituated says that it is too early to read: what would be published before it is known where the topic stands here
// would be neither read nor handed out.
var errNotSituated = errors.New("it is not known yet where the topic stands")

// take gives the session a page, and says whether there is no more. x.mu is held.
func (x *session) take(w *catchUp, topic string, page *cluster.Page) (done bool) {
	at := &w.at
	switch {
	case at.epoch != "" && page.Epoch != "" && page.Epoch != at.epoch:
		x.tellGap(event.ActionTopicGap, topic, 0)
		*at = position{epoch: page.Epoch} // all that is kept is new
		return false
	case page.First > at.offset+1 && at.epoch != "":
		action := event.ActionTopicGap
		if topic[:2] == cluster.User {
			action = event.ActionMessageExpired
		}
		x.tellGap(action, topic, page.First-1-at.offset)
		at.offset = page.First - 1
	}
	if page.Epoch != "" {
		at.epoch = page.Epoch
	}
	h := x.s.newHandout(len(page.Messages) + len(w.held))
	defer h.end()
	for i := range page.Messages {
		if d := (&delivery{Message: &page.Messages[i]}); d.Session != x.id || topic[:2] == cluster.User {
			x.give(d, h)
		}
		at.offset = page.Messages[i].Offset
	}
	if len(page.Messages) == catchPage || w.more {
		w.more = false
		return false
	}
	for _, d := range w.held {
		if d.Epoch != at.epoch || d.Offset > at.offset {
			x.give(d, h)
		}
	}
	if delete(x.catch, topic); len(x.catch) == 0 {
		x.catch = nil
	}
	return true
}
