package imserver

import (
	"context"
	"slices"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

func handlePublish(c *conn, e protocol.Envelope) error {
	p, _ := e.Payload.(*protocol.Publish)
	m := cluster.Message{ID: e.ID, From: c.client.user, Session: c.sess.id, At: c.s.now().UnixMilli()}
	switch {
	case p.To != "":
		m.Topic = cluster.User + p.To
	case p.Room != "":
		if !c.sess.isIn(p.Room) {
			return &protocol.DecodeError{Code: protocol.CodeNotMember, Field: "payload.room", Detail: "subscribe to the room first"}
		}
		m.Topic = cluster.Room + p.Room
	case !slices.Contains(c.s.globals, p.Global):
		return &protocol.DecodeError{Code: protocol.CodeUnknownTopic, Field: "payload.global", Detail: "there is none of this name"}
	case !slices.Contains(c.s.conf().Sessions.Publishers, c.client.user):
		return &protocol.DecodeError{Code: protocol.CodeDenied, Field: "payload.global", Detail: "only some users may publish here"}
	default:
		m.Topic = cluster.Global + p.Global
	}
	// The read buffer is used again.
	if m.Body = slices.Clone([]byte(p.Body)); p.Data != nil {
		m.Body, m.Binary = slices.Clone(p.Data), true
	}
	return c.publish(e.ID, m)
}

// publish hands a message to the cluster. The ack goes when it is safe there.
func (c *conn) publish(id string, m cluster.Message) error {
	ctx := context.Background()
	if c.s.shared { // else nothing takes time
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.s.conf().Timeouts.Publish)
		defer cancel()
	}
	began := time.Now()
	r, err := c.s.cluster.Publish(ctx, m)
	if err != nil {
		c.s.report("publishing", err)
		return &protocol.DecodeError{Code: protocol.CodeUnavailable, Detail: "the message could not be stored; send it again"}
	}
	c.s.metrics.delivery.publishSeconds.Observe(time.Since(began).Seconds())
	n := 0
	if a := c.s.topics.of(m.Topic); a != nil {
		but := c.sess
		if m.Topic[:2] == cluster.User {
			but = nil
		}
		n = a.size(but)
	}
	c.reply(protocol.TypeAck, "", &protocol.Ack{Ref: id, Delivered: int64(n), Duplicate: r.Duplicate, Unstored: r.Offset == 0})
	return nil
}

func (x *session) isIn(room string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Contains(x.rooms, room)
}

func handleSubscribe(c *conn, e protocol.Envelope) error {
	r, _ := e.Payload.(*protocol.Room)
	x := c.sess
	x.mu.Lock()
	in, full := slices.Contains(x.rooms, r.Room), len(x.rooms) >= c.s.conf().Limits.Rooms
	if !in && !full {
		x.rooms = append(x.rooms, r.Room)
	}
	x.mu.Unlock()
	switch {
	case in:
	case full:
		return &protocol.DecodeError{Code: protocol.CodeTooManyRooms, Field: "payload.room", Detail: "leave another room first"}
	default:
		ctx, cancel := context.WithTimeout(context.Background(), c.s.conf().Timeouts.Publish)
		defer cancel()
		err := c.s.follow(ctx, cluster.Room+r.Room, x)
		c.s.report("following a topic", err)
		if err != nil {
			x.forgetRoom(r.Room)
			return &protocol.DecodeError{Code: protocol.CodeUnavailable, Field: "payload.room", Detail: "the room cannot be followed now; try again"}
		}
		c.s.sessions.touch(x)
		c.logRoom(event.ActionJoin, r.Room)
	}
	c.ack(e.ID)
	return nil
}

func handleUnsubscribe(c *conn, e protocol.Envelope) error {
	r, _ := e.Payload.(*protocol.Room)
	if c.sess.forgetRoom(r.Room) {
		c.s.unfollow(cluster.Room+r.Room, c.sess)
		c.s.sessions.touch(c.sess)
		c.logRoom(event.ActionLeave, r.Room)
	}
	c.ack(e.ID)
	return nil
}

func (x *session) forgetRoom(room string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.Index(x.rooms, room)
	if i >= 0 {
		x.rooms = slices.Delete(x.rooms, i, i+1)
	}
	return i >= 0
}

func (c *conn) ack(ref string) { c.reply(protocol.TypeAck, "", &protocol.Ack{Ref: ref}) }

func handleAck(c *conn, e protocol.Envelope) error {
	a, _ := e.Payload.(*protocol.AckSeq)
	return c.sess.ack(c, a.Seq)
}

func (c *conn) logRoom(a event.Action, room string) {
	if c.s.debug() {
		ev := c.event(a)
		ev.SetText(event.FieldRoomID, room)
		c.s.emit(ev)
	}
}

// receiver is how the cluster reaches a server.
type receiver struct{ s *Server }

var _ cluster.Receiver = receiver{}

// Deliver hands a message to who follows its topic.
func (r receiver) Deliver(m *cluster.Message) {
	if a := r.s.topics.of(m.Topic); a != nil {
		a.receive(r.s, &delivery{Message: m})
	}
}

// Lost reads what was missed of topics.
func (r receiver) Lost(names []string) {
	r.s.background(func(ctx context.Context) {
		for _, name := range names {
			if a := r.s.topics.of(name); a != nil {
				r.s.mend(ctx, a)
			}
		}
	})
}

// Ask answers another node.
func (r receiver) Ask(request []byte) ([]byte, error) { return r.s.answer(request) }

// Seen tells of a user that is watched.
func (r receiver) Seen(user string, online bool) { r.s.watchers.seen(user, online) }

// Changed tells that what the nodes share was lost or is back.
func (r receiver) Changed(up bool, state string, err error) { r.s.logDependency(up, state, err) }
