package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mode says what decoding does with fields that it does not know.
type Mode uint8

// The modes.
const (
	Strict  Mode = iota // an unknown field is an error: what a server wants of its clients
	Lenient             // unknown fields are passed over: what a client wants of a newer server
)

// DecodeError says why a message could not be decoded. Code is one of the Code constants and is what an error envelope
// tells the peer.
type DecodeError struct {
	Code   Code
	Field  string // dotted, "" where the JSON itself is wrong
	Detail string // what was found and what is allowed
}

// Error prints field and detail.
func (f *DecodeError) Error() string {
	if f.Field == "" {
		return f.Detail
	}
	return f.Field + ": " + f.Detail
}

func fault(code Code, field, format string, args ...any) *DecodeError {
	return &DecodeError{Code: code, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Decode reads one envelope. Every error is a *DecodeError. The payload shares memory with data; it is a valid JSON object,
// whose fields are checked by the Parse function of its type.
func Decode(data []byte, mode Mode) (Envelope, error) {
	if err := checkJSON(data); err != nil {
		return Envelope{}, err
	}
	var e Envelope
	version := false
	err := fields(data, "", func(key string, raw []byte) error {
		var err error
		switch key {
		case "v":
			version, err = true, decodeVersion(raw)
		case "type":
			err = decodeType(raw, &e.Type)
		case "id":
			e.ID, err = name(raw, key, MaxID)
		case "seq":
			e.Seq, err = natural(raw, key)
		case "ts":
			e.TS, err = natural(raw, key)
		case "payload":
			if raw[0] != '{' {
				return fault(CodeBadField, key, "must be an object, not %s", kind(raw))
			}
			e.Payload = raw
		default:
			return unknown(mode, key, "v, type, id, seq, ts, payload")
		}
		return err
	})
	switch {
	case err != nil:
		return Envelope{}, err
	case !version:
		return Envelope{}, fault(CodeMissingField, "v", "missing; this is version %d", Version)
	case e.Type == "":
		return Envelope{}, fault(CodeMissingField, "type", "missing")
	case e.ID == "" && e.Type.needsID():
		return Envelope{}, fault(CodeMissingField, "id", "missing; a %s is answered by its id", e.Type)
	}
	return e, nil
}

func decodeVersion(raw []byte) error {
	if string(raw) != "1" {
		return fault(CodeUnsupportedVersion, "v", "must be %d, not %s", Version, clip(raw))
	}
	return nil
}

func decodeType(raw []byte, t *Type) error {
	s, err := str(raw, "type")
	if err != nil {
		return err
	}
	if !Type(s).known() {
		return fault(CodeUnknownType, "type", "unknown type %q", clip([]byte(s)))
	}
	*t = Type(s)
	return nil
}

// checkJSON makes sure that data is one JSON object in UTF-8: what follows need not look for broken JSON.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return fault(CodeBadJSON, "", "not valid UTF-8")
	}
	if !json.Valid(data) {
		var sink json.RawMessage
		return fault(CodeBadJSON, "", "not valid JSON: %v", json.Unmarshal(data, &sink))
	}
	if data[blank(data, 0)] != '{' {
		return fault(CodeBadJSON, "", "must be one JSON object")
	}
	return nil
}

func unknown(mode Mode, field, allowed string) error {
	if mode == Lenient {
		return nil
	}
	return fault(CodeUnknownField, field, "unknown field; allowed are %s", allowed)
}

// clip keeps an error's text short, whatever was sent.
func clip(b []byte) string {
	const most = 40
	if len(b) <= most {
		return string(b)
	}
	return strings.ToValidUTF8(string(b[:most]), "") + "…"
}
