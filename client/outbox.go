package client

import (
	"cmp"
	"slices"
	"time"

	"imwatch/im-server/protocol"
)

// outgoing is a message on its way to the server.
type outgoing struct {
	id     string
	serial int64 // its place among all
	p      *protocol.Publish
	conv   *conversation
	sent   bool // on the connection that there is
	answer      // who wants to know
}

// answer is where the server's answer to a message goes.
type answer struct {
	done func(protocol.Ack, error) // called by the handler's goroutine; nil: nobody wants to know
	wait chan<- result             // has room for one; nil: nobody waits
}

type result struct {
	ack protocol.Ack
	err error
}

// conversation is what goes to one user, room or topic, in order.
type conversation struct {
	name  string
	room  string // "": it is none
	items []*outgoing
	ready bool // it is in the outbox's list
}

// outbox is all that the server has not acknowledged. Not safe for concurrent use.
type outbox struct {
	pipeline int
	byID     map[string]*outgoing
	convs    map[string]*conversation
	ready    []*conversation // may have something to send
	serial   int64
	flying   int
	paused   time.Time // the server takes nothing before
	refusals int       // in a row
}

// flyingMost bounds what is on the way at one time, so that a long queue does not fill the server's.
const flyingMost = 256

func newOutbox(pipeline int) *outbox {
	return &outbox{pipeline: pipeline, byID: map[string]*outgoing{}, convs: map[string]*conversation{}}
}

func conversationOf(p *protocol.Publish) string {
	switch {
	case p.To != "":
		return "u:" + p.To
	case p.Room != "":
		return "r:" + p.Room
	}
	return "g:" + p.Global
}

func (b *outbox) add(id string, p *protocol.Publish, a answer) {
	name := conversationOf(p)
	conv := b.convs[name]
	if conv == nil {
		conv = &conversation{name: name, room: p.Room}
		b.convs[name] = conv
	}
	b.serial++
	o := &outgoing{id: id, serial: b.serial, p: p, conv: conv, answer: a}
	conv.items = append(conv.items, o)
	b.byID[id] = o
	b.wake(conv)
}

// wake lets a conversation's messages be looked at again.
func (b *outbox) wake(conv *conversation) {
	if !conv.ready {
		conv.ready = true
		b.ready = append(b.ready, conv)
	}
}

// take gives what may be sent now, and counts it as sent. held says of a room whether its messages have to wait.
func (b *outbox) take(now time.Time, most int, held func(room string) bool) (list []*outgoing) {
	if now.Before(b.paused) {
		return nil
	}
	for len(b.ready) > 0 && len(list) < most && b.flying < flyingMost {
		conv := b.ready[0]
		o := conv.due(b.pipeline)
		if o == nil || conv.room != "" && held(conv.room) {
			b.ready[0], conv.ready = nil, false
			if b.ready = b.ready[1:]; len(conv.items) == 0 {
				delete(b.convs, conv.name)
			}
			continue
		}
		// By turns, so that a long conversation does not hold the others up.
		b.ready = append(b.ready[1:], conv)
		o.sent = true
		b.flying++
		list = append(list, o)
	}
	return list
}

// due gives the conversation's first message that was not sent; nil: none may be.
func (c *conversation) due(pipeline int) *outgoing {
	for _, o := range c.items[:min(pipeline, len(c.items))] {
		if !o.sent {
			return o
		}
	}
	return nil
}

// settle takes out a message that the server has answered for good; nil: there is none of this id.
func (b *outbox) settle(id string) *outgoing {
	o := b.byID[id]
	if o == nil {
		return nil
	}
	delete(b.byID, id)
	b.landed(o)
	i := slices.Index(o.conv.items, o)
	o.conv.items = slices.Delete(o.conv.items, i, i+1)
	if len(o.conv.items) == 0 && !o.conv.ready {
		delete(b.convs, o.conv.name)
	} else {
		b.wake(o.conv)
	}
	return o
}

func (b *outbox) landed(o *outgoing) {
	if o.sent {
		o.sent = false
		b.flying--
	}
}

// Bounds of the wait after a refusal that says none.
const (
	pauseBase = 500 * time.Millisecond
	pauseCap  = 30 * time.Second
)

// pause holds everything back after the server has refused a message for now.
func (b *outbox) pause(o *outgoing, now time.Time, wish time.Duration, rand float64) {
	b.landed(o)
	b.wake(o.conv)
	wait := min(pauseBase<<min(b.refusals, 10), pauseCap)
	b.refusals++
	if wait = time.Duration(rand * float64(wait)); wish > 0 {
		wait = wish + time.Duration(rand*float64(wish)/10)
	}
	if until := now.Add(wait); until.After(b.paused) {
		b.paused = until
	}
}

// lost makes everything wait for the next connection, in the order in which it was added.
func (b *outbox) lost() {
	b.ready, b.flying, b.paused, b.refusals = nil, 0, time.Time{}, 0
	for name, conv := range b.convs {
		if conv.ready = len(conv.items) > 0; !conv.ready {
			delete(b.convs, name)
			continue
		}
		for _, o := range conv.items {
			o.sent = false
		}
		b.ready = append(b.ready, conv)
	}
	slices.SortFunc(b.ready, func(x, y *conversation) int { return cmp.Compare(x.items[0].serial, y.items[0].serial) })
}
