package protocol

// Version is the version of the protocol, the envelope's v.
const Version = 1

// Type says what an envelope is about.
type Type string

// The types of envelopes, and who sends them.
const (
	TypeHello       Type = "hello"       // server: a session is bound; payload Hello
	TypeAuth        Type = "auth"        // client: its token, first of all or to renew it; payload Auth
	TypeResume      Type = "resume"      // client: first of all, to go on with a session; payload Resume
	TypePing        Type = "ping"        // both: answer with a pong of the same id
	TypePong        Type = "pong"        // both; the server's ts is its clock
	TypeEcho        Type = "echo"        // client: comes back with the same id and payload
	TypeSubscribe   Type = "subscribe"   // client: enter a room; payload Room
	TypeUnsubscribe Type = "unsubscribe" // client: leave a room; payload Room
	TypePublish     Type = "publish"     // client: to a user, a room or a global topic; payload Publish
	TypeMessage     Type = "message"     // server: what somebody published; payload Message
	TypePresence    Type = "presence"    // both: who is there; payload PresenceAsk, Presence
	TypeDevices     Type = "devices"     // both: the user's own connections; payload none, Devices
	TypeKick        Type = "kick"        // client: end a connection of its own user; payload Kick
	TypeGap         Type = "gap"         // server: messages that cannot be given any more; payload Gap
	TypeAck         Type = "ack"         // both; payload AckSeq, Ack
	TypeError       Type = "error"       // server: payload Error
)

// Side is who sends.
type Side uint8

// The sides. A type, or a field of one, may belong to one of them or to both.
const (
	FromClient Side = 1 << iota
	FromServer
	FromBoth = FromClient | FromServer
)

// spec is what is known of a type.
type spec struct {
	number  int  // its value in Protobuf; 0: the type is not known
	from    Side // who sends it
	needsID bool // it is answered by its id
}

// Types gives all types.
func Types() []Type {
	return []Type{
		TypeHello, TypeAuth, TypeResume, TypePing, TypePong, TypeEcho, TypeSubscribe, TypeUnsubscribe, TypePublish, TypeMessage,
		TypePresence, TypeDevices, TypeKick, TypeGap, TypeAck, TypeError,
	}
}

func (t Type) spec() spec {
	switch t {
	case TypeHello:
		return spec{1, FromServer, false}
	case TypeAuth:
		return spec{2, FromClient, false}
	case TypeResume:
		return spec{3, FromClient, false}
	case TypePing:
		return spec{4, FromBoth, false}
	case TypePong:
		return spec{5, FromBoth, false}
	case TypeEcho:
		return spec{6, FromBoth, false}
	case TypeSubscribe:
		return spec{7, FromClient, true}
	case TypeUnsubscribe:
		return spec{8, FromClient, true}
	case TypePublish:
		return spec{9, FromClient, true}
	case TypeMessage:
		return spec{10, FromServer, false}
	case TypePresence:
		return spec{11, FromBoth, false}
	case TypeDevices:
		return spec{12, FromBoth, false}
	case TypeKick:
		return spec{13, FromClient, true}
	case TypeGap:
		return spec{14, FromServer, false}
	case TypeAck:
		return spec{15, FromBoth, false}
	case TypeError:
		return spec{16, FromServer, false}
	}
	return spec{}
}

// payload gives an empty payload of a type as one side sends it; nil where it has none.
func (t Type) payload(from Side) Payload {
	switch t {
	case TypeHello:
		return new(Hello)
	case TypeAuth:
		return new(Auth)
	case TypeResume:
		return new(Resume)
	case TypeEcho:
		return new(Echo)
	case TypeSubscribe, TypeUnsubscribe:
		return new(Room)
	case TypePublish:
		return new(Publish)
	case TypeMessage:
		return new(Message)
	case TypeKick:
		return new(Kick)
	case TypeGap:
		return new(Gap)
	case TypeError:
		return new(Error)
	}
	switch {
	case t == TypePresence && from == FromClient:
		return new(PresenceAsk)
	case t == TypePresence:
		return new(Presence)
	case t == TypeDevices && from == FromServer:
		return new(Devices)
	case t == TypeAck && from == FromClient:
		return new(AckSeq)
	case t == TypeAck:
		return new(Ack)
	}
	return nil
}

// Limits of what an envelope holds.
const (
	MaxID    = 64      // bytes of an id
	MaxName  = 128     // bytes of a user's, a room's, a device's or a topic's name
	MaxToken = 8 << 10 // bytes of a token
	MaxUsers = 100     // users that one presence asks about
	MaxDepth = 100     // lists and objects within one another in a body
)

// Envelope is one message on the wire. The zero Envelope is not valid: it has no type.
type Envelope struct {
	Type    Type
	ID      string  // chosen by the sender, at most MaxID bytes; answers refer to it. "": none
	Seq     int64   // number of a message within its session, from 1, by the server; 0: not numbered
	TS      int64   // when it was sent, milliseconds since 1970; 0: not said
	Payload Payload // a pointer to what the type has; nil for ping, pong and a client's devices
}

// Parts is an envelope without its number, so that one message for many receivers is encoded once.
type Parts struct{ Head, Tail []byte }

// Codec is one way of writing envelopes, chosen by the WebSocket subprotocol. Safe for concurrent use.
type Codec interface {
	Name() string // the subprotocol
	Binary() bool // envelopes go into binary messages
	// Decode reads an envelope of one side: what a client sent strictly, what a server sent leniently, for it may be newer.
	// Every error is a *DecodeError; as much of the envelope as could be read, its id at least, is given with it. Bytes in
	// the payload share memory with data.
	Decode(data []byte, from Side) (Envelope, error)
	Append(dst []byte, e *Envelope) []byte
	Split(e *Envelope) Parts
	AppendNumbered(dst []byte, p Parts, seq int64) []byte // what Append gives for the envelope with that Seq
}

// Codecs gives all codecs, JSON first.
func Codecs() []Codec { return []Codec{JSON(), MessagePack(), Protobuf()} }
