package protocol

import "encoding/json"

// Payload is what an envelope carries: a pointer to one of the structs of this package.
type Payload interface {
	walk(c coder) // over all fields, in the order of the documentation
	check() error // of what is not said of a single field
}

// Hello says that a session is bound: the first envelope that a server sends.
type Hello struct {
	ConnectionID string // of this connection
	SessionID    string // outlives the connection
	Epoch        string // of the session: goes with its numbers
	Node         string // that serves it
	HeartbeatMS  int64  // the server pings so often; a client that hears nothing for twice as long may give up
	AckMS        int64  // acknowledge at least so often while there is something to acknowledge
	MessageBytes int64  // of the largest message that is taken
	Resumed      bool   // the session is the one that was asked for: nothing is lost
	ResumeReason string // why it is not, of the contract's reasons; "" where none was asked for
	Seq          int64  // number of the last message sent before
	ServerTime   int64  // milliseconds since 1970
}

func (p *Hello) walk(c coder) {
	c.text(field{num: 1, name: "connection_id", max: MaxName, need: true}, &p.ConnectionID)
	c.text(field{num: 2, name: "session_id", max: MaxName, need: true}, &p.SessionID)
	c.text(field{num: 3, name: "epoch", max: MaxName}, &p.Epoch)
	c.text(field{num: 4, name: "node", max: MaxName}, &p.Node)
	c.number(field{num: 5, name: "heartbeat_ms"}, &p.HeartbeatMS)
	c.number(field{num: 6, name: "ack_ms"}, &p.AckMS)
	c.number(field{num: 7, name: "message_bytes"}, &p.MessageBytes)
	c.flag(field{num: 8, name: "resumed"}, &p.Resumed)
	c.text(field{num: 9, name: "resume_reason", max: MaxName}, &p.ResumeReason)
	c.number(field{num: 10, name: "seq"}, &p.Seq)
	c.number(field{num: 11, name: "server_time"}, &p.ServerTime)
}

func (p *Hello) check() error { return nil }

// Auth is a client's token: first of all, where the handshake carried none, or later a new one for the same user. With
// a session it asks to resume it.
type Auth struct {
	Token        string
	SecondFactor string
	SessionID    string
	Epoch        string
	Seq          int64
}

func (p *Auth) walk(c coder) {
	c.text(field{num: 1, name: "token", max: MaxToken, need: true}, &p.Token)
	c.text(field{num: 2, name: "second_factor", max: MaxName}, &p.SecondFactor)
	c.text(field{num: 3, name: "session_id", max: MaxName}, &p.SessionID)
	c.text(field{num: 4, name: "epoch", max: MaxName}, &p.Epoch)
	c.number(field{num: 5, name: "seq"}, &p.Seq)
}

func (p *Auth) check() error { return nil }

// Resume asks to go on with a session behind the last message that the client has.
type Resume struct {
	SessionID string
	Epoch     string
	Seq       int64
}

func (p *Resume) walk(c coder) {
	c.text(field{num: 1, name: "session_id", max: MaxName, need: true}, &p.SessionID)
	c.text(field{num: 2, name: "epoch", max: MaxName, need: true}, &p.Epoch)
	c.number(field{num: 3, name: "seq"}, &p.Seq)
}

func (p *Resume) check() error { return nil }

// Echo is an object of the client's that comes back. In JSON it is the payload itself.
type Echo struct{ Body json.RawMessage }

func (p *Echo) walk(c coder) { c.object(field{num: 1, name: "body"}, &p.Body) }

func (p *Echo) check() error { return checkDepth("payload", p.Body) }

// Room is what subscribe and unsubscribe are about.
type Room struct{ Room string }

func (p *Room) walk(c coder) {
	c.text(field{num: 1, name: "room", max: MaxName, need: true}, &p.Room)
}

func (p *Room) check() error { return nil }

// Publish is a message on its way to the server: to one user, one room or one global topic. It has a Body or Data.
type Publish struct {
	To, Room, Global string          // exactly one of them
	Body             json.RawMessage // any JSON value
	Data             []byte          // or bytes of the client's own; nil: there are none
}

func (p *Publish) walk(c coder) {
	c.text(field{num: 1, name: "to", max: MaxName}, &p.To)
	c.text(field{num: 2, name: "room", max: MaxName}, &p.Room)
	c.text(field{num: 3, name: "global", max: MaxName}, &p.Global)
	c.value(field{num: 4, name: "body"}, &p.Body)
	c.bytes(field{num: 5, name: "data"}, &p.Data)
}

func (p *Publish) check() error {
	return checkContent("publish", p.To, p.Room, p.Global, p.Body, p.Data)
}

// Message is a published message on its way to a client.
type Message struct {
	From             string // the sender's account
	To, Room, Global string
	Body             json.RawMessage
	Data             []byte
}

func (p *Message) walk(c coder) {
	c.text(field{num: 1, name: "from", max: MaxName}, &p.From)
	c.text(field{num: 2, name: "to", max: MaxName}, &p.To)
	c.text(field{num: 3, name: "room", max: MaxName}, &p.Room)
	c.text(field{num: 4, name: "global", max: MaxName}, &p.Global)
	c.value(field{num: 5, name: "body"}, &p.Body)
	c.bytes(field{num: 6, name: "data"}, &p.Data)
}

func (p *Message) check() error {
	return checkContent("message", p.To, p.Room, p.Global, p.Body, p.Data)
}

func checkContent(what, to, room, global string, body, data []byte) error {
	named := 0
	for _, s := range []string{to, room, global} {
		if s != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return fault(CodeMissingField, "payload", "a %s has one of to, room and global", what)
	case (body == nil) == (data == nil):
		return fault(CodeMissingField, "payload", "a %s has either body or data", what)
	}
	return checkDepth("payload.body", body)
}

// checkDepth bounds what it costs to write a JSON value in another format.
func checkDepth(field string, raw []byte) error {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = skipString(raw, i) - 1
		case '{', '[':
			if depth++; depth > MaxDepth {
				return fault(CodeBadField, field, "nested more than %d deep", MaxDepth)
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

// Gap tells that messages cannot be given to this session any more.
type Gap struct {
	To, Room, Global string // where they were published
	Missed           int64  // how many; 0: not known
}

func (p *Gap) walk(c coder) {
	c.text(field{num: 1, name: "to", max: MaxName}, &p.To)
	c.text(field{num: 2, name: "room", max: MaxName}, &p.Room)
	c.text(field{num: 3, name: "global", max: MaxName}, &p.Global)
	c.number(field{num: 4, name: "missed"}, &p.Missed)
}

func (p *Gap) check() error { return nil }
