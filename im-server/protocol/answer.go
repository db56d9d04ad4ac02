package protocol

import "strconv"

// Ack is the payload of an ack. The server's says that the envelope with id Ref was taken and given to Delivered
// connections. The client's says that it has every message up to Seq.
type Ack struct {
	Ref       string
	Seq       int64
	Delivered int64
}

// Append appends the payload as JSON: ref and delivered where Ref is set, else seq.
func (a *Ack) Append(dst []byte) []byte {
	if a.Ref == "" {
		dst = append(dst, `{"seq":`...)
		dst = strconv.AppendInt(dst, a.Seq, 10)
		return append(dst, '}')
	}
	dst = append(dst, `{"ref":`...)
	dst = appendString(dst, a.Ref)
	dst = append(dst, `,"delivered":`...)
	dst = strconv.AppendInt(dst, a.Delivered, 10)
	return append(dst, '}')
}

// ParseAck reads the payload of an ack. Every error is a *DecodeError.
func ParseAck(payload []byte, mode Mode) (Ack, error) {
	var a Ack
	bySeq := false
	err := parse(payload, mode, "ref, delivered, seq", func(key string, raw []byte) (ok bool, err error) {
		switch key {
		case "ref":
			a.Ref, err = name(raw, "payload."+key, MaxID)
		case "seq":
			bySeq = true
			a.Seq, err = natural(raw, "payload."+key)
		case "delivered":
			a.Delivered, err = natural(raw, "payload."+key)
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil && (a.Ref != "") == bySeq {
		err = fault(CodeMissingField, "payload", "an ack has either ref or seq")
	}
	return a, err
}

// Code says what is wrong in an error envelope.
type Code string

// The codes of errors.
const (
	CodeBadJSON            Code = "bad_json"
	CodeUnsupportedVersion Code = "unsupported_version"
	CodeUnknownType        Code = "unknown_type"
	CodeUnknownField       Code = "unknown_field"
	CodeDuplicateField     Code = "duplicate_field"
	CodeMissingField       Code = "missing_field"
	CodeBadField           Code = "bad_field"
	CodeNotText            Code = "not_text"       // a binary message; envelopes are text
	CodeNotForServer       Code = "not_for_server" // a type that only a server sends
	CodeNotMember          Code = "not_member"     // of the room that was written to
	CodeTooManyRooms       Code = "too_many_rooms"
	CodeInternal           Code = "internal"
)

// Error is the payload of an error: what was wrong with the envelope with id Ref.
type Error struct {
	Code Code
	Text string // for a person
	Ref  string // "": the envelope's id could not be read
}

// Append appends the payload as JSON.
func (e *Error) Append(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = appendString(dst, string(e.Code))
	dst = append(dst, `,"text":`...)
	dst = appendString(dst, e.Text)
	if e.Ref != "" {
		dst = append(dst, `,"ref":`...)
		dst = appendString(dst, e.Ref)
	}
	return append(dst, '}')
}

// ParseError reads the payload of an error. Every error of its own is a *DecodeError.
func ParseError(payload []byte, mode Mode) (Error, error) {
	var e Error
	err := parse(payload, mode, "code, text, ref", func(key string, raw []byte) (ok bool, err error) {
		switch key {
		case "code":
			var s string
			s, err = name(raw, "payload."+key, MaxID)
			e.Code = Code(s)
		case "text":
			e.Text, err = str(raw, "payload."+key)
		case "ref":
			e.Ref, err = name(raw, "payload."+key, MaxID)
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil && e.Code == "" {
		err = fault(CodeMissingField, "payload.code", "missing")
	}
	return e, err
}
