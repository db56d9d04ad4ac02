package imserver

import (
	"encoding/binary"

	"imwatch/im-server/protocol"
)

// packedBit is the bit of a frame that says that its message is packed: RSV1, beside the opcode.
const packedBit = 0x40

// appendFrame appends a whole frame of a server, RFC 6455 section 5.2: final, unmasked, packed if its message is. It gives
// the size of the payload too.
func appendFrame(dst []byte, f *frame, codec protocol.Codec) ([]byte, int) {
	if f.msg == nil {
		return append(appendHeader(dst, f.op, len(f.data)), f.data...), len(f.data)
	}
	// How long the number makes it is known when it is there: leave room for the longest header, and close the gap.
	const longest = 10
	at := len(dst)
	dst = append(dst, make([]byte, longest)...)
	op := f.op
	if f.msg.packed {
		dst, op = f.msg.appendPacked(dst, codec, f.seq), op|packedBit
	} else {
		dst = codec.AppendNumbered(dst, f.msg.Parts, f.seq)
	}
	size := len(dst) - at - longest
	var header [longest]byte
	h := appendHeader(header[:0], op, size)
	copy(dst[at:], h)
	if len(h) < longest {
		dst = append(dst[:at+len(h)], dst[at+longest:]...)
	}
	return dst, size
}

func appendHeader(dst []byte, op, size int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size)) //nolint:gosec // a length is not negative
}
