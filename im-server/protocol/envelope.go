package protocol

import (
	"encoding/json"
	"strconv"
)

// Version is the version of the protocol, the envelope's v.
const Version = 1

// Type says what an envelope is about.
type Type string

// The types of envelopes, and who sends them.
const (
	TypeHello   Type = "hello"   // server: the first envelope of a connection; payload Hello
	TypePing    Type = "ping"    // both: answer with a pong of the same id
	TypePong    Type = "pong"    // both
	TypeEcho    Type = "echo"    // client: comes back with the same id and payload
	TypeMessage Type = "message" // both: to one user or to a room; payload Message
	TypeJoin    Type = "join"    // client: enter a room; payload Room
	TypeLeave   Type = "leave"   // client: leave a room; payload Room
	TypeAck     Type = "ack"     // both: payload Ack
	TypeError   Type = "error"   // server: payload Error
)

// Types gives all types.
func Types() []Type {
	return []Type{TypeHello, TypePing, TypePong, TypeEcho, TypeMessage, TypeJoin, TypeLeave, TypeAck, TypeError}
}

func (t Type) known() bool {
	switch t {
	case TypeHello, TypePing, TypePong, TypeEcho, TypeMessage, TypeJoin, TypeLeave, TypeAck, TypeError:
		return true
	}
	return false
}

// needsID says whether an envelope is answered by its id, and so must have one.
func (t Type) needsID() bool { return t == TypeMessage || t == TypeJoin || t == TypeLeave }

// Limits of what an envelope holds, in bytes.
const (
	MaxID   = 64  // of an id
	MaxName = 128 // of a user's or a room's name
)

// Envelope is one message on the wire. The zero Envelope is not valid: it has no type.
type Envelope struct {
	Type    Type
	ID      string          // chosen by the sender, at most MaxID bytes; answers refer to it. "": none
	Seq     int64           // number of a message within its session, from 1, by the server; 0: not numbered
	TS      int64           // when it was sent, milliseconds since 1970; 0: not said
	Payload json.RawMessage // one JSON object, or nil
}

// Append appends the envelope as JSON. Payload must be a valid JSON object or empty.
func (e *Envelope) Append(dst []byte) []byte {
	return appendTail(appendSeq(e.appendHead(dst), e.Seq), e)
}

// Split gives the envelope as JSON in two parts, before and after its number, so that one message for many receivers
// is encoded once; [AppendNumbered] joins them.
func (e *Envelope) Split() (head, tail []byte) { return e.appendHead(nil), appendTail(nil, e) }

// AppendNumbered appends the envelope that was split into head and tail with the number seq.
func AppendNumbered(dst, head []byte, seq int64, tail []byte) []byte {
	return append(appendSeq(append(dst, head...), seq), tail...)
}

func (e *Envelope) appendHead(dst []byte) []byte {
	dst = append(dst, `{"v":1,"type":"`...)
	dst = append(dst, e.Type...)
	dst = append(dst, '"')
	if e.ID != "" {
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, e.ID)
	}
	return dst
}

func appendSeq(dst []byte, seq int64) []byte {
	if seq == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, `,"seq":`...), seq, 10)
}

func appendTail(dst []byte, e *Envelope) []byte {
	if e.TS != 0 {
		dst = append(dst, `,"ts":`...)
		dst = strconv.AppendInt(dst, e.TS, 10)
	}
	if len(e.Payload) > 0 {
		dst = append(dst, `,"payload":`...)
		dst = append(dst, e.Payload...)
	}
	return append(dst, '}')
}
