package protocol

import (
	"encoding/json"
	"strconv"
)

// Hello is the payload of the first envelope that a server sends.
type Hello struct {
	ConnectionID string // of this connection
	SessionID    string // outlives the connection
	HeartbeatMS  int64  // the server pings so often; a client that hears nothing for twice as long may give up
	ServerTime   int64  // milliseconds since 1970
}

// Append appends the payload as JSON.
func (h *Hello) Append(dst []byte) []byte {
	dst = append(dst, `{"connection_id":`...)
	dst = appendString(dst, h.ConnectionID)
	dst = append(dst, `,"session_id":`...)
	dst = appendString(dst, h.SessionID)
	dst = append(dst, `,"heartbeat_ms":`...)
	dst = strconv.AppendInt(dst, h.HeartbeatMS, 10)
	dst = append(dst, `,"server_time":`...)
	dst = strconv.AppendInt(dst, h.ServerTime, 10)
	return append(dst, '}')
}

// ParseHello reads the payload of a hello. Every error is a *DecodeError.
func ParseHello(payload []byte, mode Mode) (Hello, error) {
	var h Hello
	err := parse(payload, mode, "connection_id, session_id, heartbeat_ms, server_time", func(key string, raw []byte) (ok bool, err error) {
		switch key {
		case "connection_id":
			h.ConnectionID, err = name(raw, "payload."+key, MaxName)
		case "session_id":
			h.SessionID, err = name(raw, "payload."+key, MaxName)
		case "heartbeat_ms":
			h.HeartbeatMS, err = natural(raw, "payload."+key)
		case "server_time":
			h.ServerTime, err = natural(raw, "payload."+key)
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil && (h.ConnectionID == "" || h.SessionID == "") {
		err = fault(CodeMissingField, "payload", "a hello has connection_id and session_id")
	}
	return h, err
}

// Message is the payload of a message: to one user (To) or to a room (Room), never both.
type Message struct {
	From string // the sender's account; set by the server, refused from a client
	To   string // a user
	Room string // a room
	Body json.RawMessage
}

// Append appends the payload as JSON. Body must be valid JSON.
func (m *Message) Append(dst []byte) []byte {
	dst = append(dst, '{')
	if m.From != "" {
		dst = append(dst, `"from":`...)
		dst = appendString(dst, m.From)
		dst = append(dst, ',')
	}
	if m.Room != "" {
		dst = append(dst, `"room":`...)
		dst = appendString(dst, m.Room)
	} else {
		dst = append(dst, `"to":`...)
		dst = appendString(dst, m.To)
	}
	dst = append(dst, `,"body":`...)
	dst = append(dst, m.Body...)
	return append(dst, '}')
}

// ParseMessage reads the payload of a message; Body shares memory with it. Every error is a *DecodeError.
func ParseMessage(payload []byte, mode Mode) (Message, error) {
	var m Message
	err := parse(payload, mode, "to, room, body", func(key string, raw []byte) (ok bool, err error) {
		switch {
		case key == "from" && mode == Lenient:
			m.From, err = name(raw, "payload."+key, MaxName)
		case key == "to":
			m.To, err = name(raw, "payload."+key, MaxName)
		case key == "room":
			m.Room, err = name(raw, "payload."+key, MaxName)
		case key == "body":
			m.Body = raw
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return Message{}, err
	case (m.To == "") == (m.Room == ""):
		return Message{}, fault(CodeMissingField, "payload", "a message has either to or room")
	case m.Body == nil:
		return Message{}, fault(CodeMissingField, "payload.body", "missing")
	}
	return m, nil
}

// Room is the payload of join and leave.
type Room struct {
	Room string
}

// Append appends the payload as JSON.
func (r *Room) Append(dst []byte) []byte {
	dst = append(dst, `{"room":`...)
	dst = appendString(dst, r.Room)
	return append(dst, '}')
}

// ParseRoom reads the payload of join and leave. Every error is a *DecodeError.
func ParseRoom(payload []byte, mode Mode) (Room, error) {
	var r Room
	err := parse(payload, mode, "room", func(key string, raw []byte) (ok bool, err error) {
		if key != "room" {
			return false, nil
		}
		r.Room, err = name(raw, "payload.room", MaxName)
		return true, err
	})
	if err == nil && r.Room == "" {
		err = fault(CodeMissingField, "payload.room", "missing")
	}
	return r, err
}

// parse walks a payload that may be missing. Fields that f does not take are unknown.
func parse(payload []byte, mode Mode, allowed string, f func(key string, raw []byte) (bool, error)) error {
	if len(payload) == 0 {
		return nil
	}
	if err := checkJSON(payload); err != nil {
		return err
	}
	return fields(payload, "payload.", func(key string, raw []byte) error {
		ok, err := f(key, raw)
		if err == nil && !ok {
			err = unknown(mode, "payload."+clip([]byte(key)), allowed)
		}
		return err
	})
}
