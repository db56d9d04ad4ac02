package imserver

import (
	"sync/atomic"

	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// delivery is a message on its way to the sessions of this node, shared by all of them: it is encoded once for each
// codec that one of them speaks. Safe for concurrent use.
type delivery struct {
	*cluster.Message
	parts [2 * codecCount]atomic.Pointer[encoded] // the second half: packed, if that is worth it
	later atomic.Pointer[position]                // where it stands, if it had no offset when it was handed out
}

// place gives where the message stands; offset 0: that is not known yet.
func (d *delivery) place() position {
	if at := d.later.Load(); at != nil {
		return *at
	}
	return position{d.Epoch, d.Offset}
}

// wire gives the encoded message, packed for a connection that takes it so.
func (d *delivery) wire(c codec) *encoded {
	at := &d.parts[c.index]
	if c.packs != nil {
		at = &d.parts[codecCount+c.index]
	}
	if e := at.Load(); e != nil {
		return e
	}
	var e *encoded
	if c.packs == nil {
		e = &encoded{Parts: c.Split(&protocol.Envelope{Type: protocol.TypeMessage, ID: d.ID, TS: d.At, Payload: d.payload()})}
	} else {
		plain := d.wire(codec{c.Codec, c.index, nil})
		e = c.packs.parts(plain)
	}
	at.CompareAndSwap(nil, e) // another may have been as quick: the same bytes
	return at.Load()
}

func (d *delivery) payload() *protocol.Message {
	m := &protocol.Message{From: d.From}
	m.To, m.Room, m.Global = split(d.Topic)
	if d.Binary {
		m.Data = d.Body
	} else {
		m.Body = d.Body
	}
	return m
}

// size is about what the message holds of memory, in bytes.
func (d *delivery) size() int { return len(d.Body) + len(d.ID) + len(d.From) + len(d.Topic) }

// split gives the name in a topic, as the one of three that its kind says.
func split(topic string) (to, room, global string) {
	switch kind, name := topic[:2], topic[2:]; kind {
	case cluster.User:
		return name, "", ""
	case cluster.Room:
		return "", name, ""
	default:
		return "", "", name
	}
}

// codec is one of the protocol's, and which.
type codec struct {
	protocol.Codec
	index int
	packs *packing // nil: messages are not packed
}

// codecCount is how many there are.
const codecCount = 3

// codecNamed gives the codec of a subprotocol; JSON where none was agreed on.
func (s *Server) codecNamed(subprotocol string) codec {
	for i, c := range s.codecs {
		if c.Name() == subprotocol {
			return codec{c, i, nil}
		}
	}
	return codec{s.codecs[0], 0, nil}
}

func subprotocols(codecs []protocol.Codec) (names []string) {
	for _, c := range codecs {
		names = append(names, c.Name())
	}
	return names
}
