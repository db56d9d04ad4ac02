package protocol

import "encoding/json"

// field is what all codecs know of a field of a payload.
type field struct {
	num  int    // in Protobuf, from 1
	name string // in JSON and MessagePack
	max  int    // bytes that a text may have
	most int    // entries that a list may have
	need bool   // it must be there, and is written even if it is empty
	zero bool   // it may be 0, which Protobuf does not write: there it need not be there
	free bool   // a text for people: it may have any character, and none
}

// coder is one way over the fields of a payload: one for writing and one for reading in each codec, one for the schema.
// A payload's walk gives each of its fields to it.
type coder interface {
	text(f field, v *string)
	number(f field, v *int64) // 0 to 2^53-1
	flag(f field, v *bool)
	value(f field, v *json.RawMessage)  // any JSON value; nil: there is none
	object(f field, v *json.RawMessage) // a JSON object
	bytes(f field, v *[]byte)           // nil: there are none
	texts(f field, v *[]string)
	records(f field, v records)
}

// records is a list of payloads within a payload.
type records interface {
	len() int
	at(i int) Payload
	add() Payload
}
