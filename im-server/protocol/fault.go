package protocol

import (
	"fmt"
	"strings"
)

// DecodeError says why a message could not be decoded. Code is one of the Code constants and is what an error envelope
// tells the peer.
type DecodeError struct {
	Code   Code
	Field  string // dotted, "" where the message as a whole is wrong
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

// clip keeps an error's text short, whatever was sent.
func clip(b []byte) string {
	const most = 40
	if len(b) <= most {
		return string(b)
	}
	return strings.ToValidUTF8(string(b[:most]), "") + "…"
}

// finish checks an envelope of which everything was read.
func finish(e *Envelope, version bool, from Side) error {
	s := e.Type.spec()
	switch {
	case !version:
		return fault(CodeMissingField, "v", "missing; this is version %d", Version)
	case e.Type == "":
		return fault(CodeMissingField, "type", "missing")
	case s.from&from == 0 && from == FromClient:
		return fault(CodeNotForServer, "type", "only a server sends %s", e.Type)
	case s.from&from == 0:
		return fault(CodeUnknownType, "type", "only a client sends %s", e.Type)
	case s.needsID && e.ID == "":
		return fault(CodeMissingField, "id", "missing; a %s is answered by its id", e.Type)
	}
	return nil
}
