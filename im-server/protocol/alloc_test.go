//go:build !race

package protocol

import "testing"

// TestAppendAllocatesNothing holds what is sent most to what the server's memory relies on. A text that JSON escapes and
// a body that is rewritten for MessagePack cost something, and are written once for all receivers.
func TestAppendAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts what others allocate too
	for _, c := range Codecs() {
		for _, e := range goldenEnvelopes(FromServer, "") {
			if m, ok := e.Payload.(*Message); ok && m.Body != nil && c.Name() == SubprotocolMessagePack {
				continue
			}
			switch e.Type {
			case TypeHello, TypePing, TypePong, TypeMessage, TypeGap, TypeAck, TypeError:
			default:
				continue
			}
			buf := c.Append(nil, &e)
			if n := testing.AllocsPerRun(20, func() { buf = c.Append(buf[:0], &e) }); n > 0 {
				t.Errorf("%s: a %s costs %v allocations", c.Name(), e.Type, n)
			}
			parts := c.Split(&e)
			if n := testing.AllocsPerRun(20, func() { buf = c.AppendNumbered(buf[:0], parts, 1<<40) }); n > 0 {
				t.Errorf("%s: the number of a %s costs %v allocations", c.Name(), e.Type, n)
			}
		}
	}
}
