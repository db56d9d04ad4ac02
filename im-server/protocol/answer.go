package protocol

// AckSeq is the client's ack: it has every message up to Seq.
type AckSeq struct{ Seq int64 }

func (p *AckSeq) walk(c coder) { c.number(field{num: 1, name: "seq", need: true, zero: true}, &p.Seq) }

func (p *AckSeq) check() error { return nil }

// Ack is the server's: the envelope with id Ref was taken.
type Ack struct {
	Ref       string
	Delivered int64 // connections of the same node that it was given to
	Duplicate bool  // it had been taken before
	Unstored  bool  // what the nodes share is lost: it is kept on this node only, for now
}

func (p *Ack) walk(c coder) {
	c.text(field{num: 1, name: "ref", max: MaxID, need: true}, &p.Ref)
	c.number(field{num: 2, name: "delivered", need: true, zero: true}, &p.Delivered)
	c.flag(field{num: 3, name: "duplicate"}, &p.Duplicate)
	c.flag(field{num: 4, name: "unstored"}, &p.Unstored)
}

func (p *Ack) check() error { return nil }

// Code says what is wrong in an error envelope.
type Code string

// The codes of errors.
const (
	CodeBadJSON            Code = "bad_json"
	CodeBadFormat          Code = "bad_format" // not MessagePack, not Protobuf
	CodeUnsupportedVersion Code = "unsupported_version"
	CodeUnknownType        Code = "unknown_type"
	CodeUnknownField       Code = "unknown_field"
	CodeDuplicateField     Code = "duplicate_field"
	CodeMissingField       Code = "missing_field"
	CodeBadField           Code = "bad_field"
	CodeNotText            Code = "not_text"       // a binary message; the envelopes of the subprotocol are text
	CodeNotBinary          Code = "not_binary"     // a text message; they are binary
	CodeNotForServer       Code = "not_for_server" // a type that only a server sends
	CodeNotNow             Code = "not_now"        // a type that has its time, and it is another one
	CodeNotMember          Code = "not_member"     // of the room that was written to
	CodeTooManyRooms       Code = "too_many_rooms"
	CodeTooMany            Code = "too_many" // of what the text says
	CodeUnknownTopic       Code = "unknown_topic"
	CodeDenied             Code = "denied"
	CodeRateLimited        Code = "rate_limited" // again after retry_ms
	CodeUnavailable        Code = "unavailable"  // something that is needed for it is lost; again after retry_ms
	CodeInternal           Code = "internal"
)

// Codes gives all codes of errors.
func Codes() []Code {
	return []Code{
		CodeBadJSON, CodeBadFormat, CodeUnsupportedVersion, CodeUnknownType, CodeUnknownField, CodeDuplicateField, CodeMissingField,
		CodeBadField, CodeNotText, CodeNotBinary, CodeNotForServer, CodeNotNow, CodeNotMember, CodeTooManyRooms, CodeTooMany,
		CodeUnknownTopic, CodeDenied, CodeRateLimited, CodeUnavailable, CodeInternal,
	}
}

// Error is what was wrong with the envelope with id Ref.
type Error struct {
	Code    Code
	Text    string // for a person
	Ref     string // "": the envelope's id could not be read
	RetryMS int64  // try again after so many milliseconds; 0: not said
}

func (p *Error) walk(c coder) {
	c.text(field{num: 1, name: "code", max: MaxID, need: true}, (*string)(&p.Code))
	c.text(field{num: 2, name: "text", max: 1 << 10, free: true}, &p.Text)
	c.text(field{num: 3, name: "ref", max: MaxID}, &p.Ref)
	c.number(field{num: 4, name: "retry_ms"}, &p.RetryMS)
}

func (p *Error) check() error { return nil }
