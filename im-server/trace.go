package imserver

import (
	"encoding/hex"
	"math/rand/v2"

	"imwatch/event"
)

// traceContext is the W3C trace context of a connection or a request: the client's trace if it sent one, with a span
// of our own below the client's.
type traceContext struct {
	trace, span, parent string
}

// continueTrace reads a traceparent header; what is not valid begins a trace of its own.
func continueTrace(header string) traceContext {
	t := traceContext{span: randomHex(8)}
	// version 00: 00-<32 hex>-<16 hex>-<2 hex>; later versions may only add to it
	if len(header) >= 55 && header[2] == '-' && header[35] == '-' && header[52] == '-' &&
		lowerHex(header[:2]) && header[:2] != "ff" && (len(header) == 55 || header[:2] != "00" && header[55] == '-') &&
		traceHex(header[3:35]) && traceHex(header[36:52]) && lowerHex(header[53:55]) {
		t.trace, t.parent = header[3:35], header[36:52]
		return t
	}
	t.trace = randomHex(16)
	return t
}

func (t *traceContext) describe(ev *event.Event) {
	ev.SetText(event.FieldTraceID, t.trace)
	ev.SetText(event.FieldSpanID, t.span)
	ev.SetText(event.FieldParentID, t.parent)
}

// traceHex says whether s is lower-case hex and not all zeros, as ids must be.
func traceHex(s string) bool {
	zeros := true
	for i := range len(s) {
		zeros = zeros && s[i] == '0'
	}
	return !zeros && lowerHex(s)
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// randomHex gives n random bytes in hex, never all zeros. Trace ids need to be unique, not secret.
func randomHex(n int) string {
	var b, text [32]byte
	for i := range n {
		b[i] = byte(rand.Uint32()) //nolint:gosec // the low byte is what is wanted
	}
	b[0] |= 1
	hex.Encode(text[:], b[:n])
	return string(text[:2*n])
}
