package framing

import (
	"fmt"
	"unicode/utf8"
)

// Kind says what a client did wrong, in one word: for counting.
type Kind string

// The kinds.
const (
	KindFrame     Kind = "frame"     // it breaks RFC 6455
	KindUTF8      Kind = "utf8"      // text that is none
	KindPacked    Kind = "packed"    // what says to be packed and is not
	KindSize      Kind = "size"      // a message with too many bytes
	KindUnpacked  Kind = "unpacked"  // a message that has too many when it is unpacked
	KindFragments Kind = "fragments" // a message in too many frames
)

// Kinds gives all of them.
func Kinds() []Kind {
	return []Kind{KindFrame, KindUTF8, KindPacked, KindSize, KindUnpacked, KindFragments}
}

// Close codes of RFC 6455, section 7.4.1.
const (
	closeProtocol = 1002
	closeNoStatus = 1005
	closeBadData  = 1007
	closeTooBig   = 1009
)

// Error is what a client did wrong.
type Error struct {
	Kind Kind
	Code int    // close code that the RFCs ask for
	Text string // what was found
	// Broken says that what follows cannot be read. Else Read goes on, but passes messages over: the peer's close frame is
	// worth waiting for.
	Broken bool
}

func (e *Error) Error() string { return e.Text }

func broken(format string, args ...any) *Error {
	return &Error{Kind: KindFrame, Code: closeProtocol, Text: fmt.Sprintf(format, args...), Broken: true}
}

func tooBig(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: closeTooBig, Text: fmt.Sprintf(format, args...)}
}

func badText(where string) *Error {
	return &Error{Kind: KindUTF8, Code: closeBadData, Text: where + " is not UTF-8"}
}

// parseClose reads the payload of a close frame; an empty one has code 1005.
func parseClose(b []byte) (code int, reason []byte, err *Error) {
	if len(b) == 0 {
		return closeNoStatus, nil, nil
	}
	if len(b) == 1 {
		return 0, nil, broken("a close frame with half a code")
	}
	code, reason = int(b[0])<<8|int(b[1]), b[2:]
	if !mayBeSent(code) {
		return 0, nil, broken("a close frame with code %d", code)
	}
	if !utf8.Valid(reason) {
		e := badText("the reason of a close frame")
		e.Broken = true // nothing follows a close frame
		return 0, nil, e
	}
	return code, reason, nil
}

// mayBeSent says whether a close code may stand in a frame: RFC 6455, section 7.4, and what IANA has registered since.
func mayBeSent(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != 1005 && code != 1006
	}
	return false
}
