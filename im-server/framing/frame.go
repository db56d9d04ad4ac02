package framing

import "encoding/binary"

// Op is a frame's opcode.
type Op byte

// The opcodes of RFC 6455, section 5.2.
const (
	Continuation Op = 0x0
	Text         Op = 0x1
	Binary       Op = 0x2
	Close        Op = 0x8
	Ping         Op = 0x9
	Pong         Op = 0xA
)

// maxControl is the greatest payload of a control frame, in bytes.
const maxControl = 125

// maxHeader is the longest header of a client's frame, in bytes: two, a length of eight, and a mask.
const maxHeader = 14

// header is that of a frame.
type header struct {
	op     Op
	fin    bool
	packed bool // RSV1
	mask   uint32
	length int64
}

func (h *header) control() bool { return h.op&0x8 != 0 }

// headerSize gives the size of a header from its second byte.
func headerSize(second byte) int {
	switch second & 0x7f {
	case 126:
		return 8
	case 127:
		return maxHeader
	}
	return 6
}

// parseHeader reads a whole header and checks what can be seen from it alone. packs says whether RSV1 has a meaning.
func parseHeader(b []byte, packs bool) (header, *Error) {
	h := header{op: Op(b[0] & 0x0f), fin: b[0]&0x80 != 0, packed: b[0]&0x40 != 0, length: int64(b[1] & 0x7f)}
	switch h.length {
	case 126:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.length = int64(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // a negative one is refused below
	}
	h.mask = binary.LittleEndian.Uint32(b[headerSize(b[1])-4:])
	switch h.op {
	case Continuation, Text, Binary, Close, Ping, Pong:
	default:
		return h, broken("a frame with the reserved opcode %#x", byte(h.op))
	}
	switch {
	case b[0]&0x30 != 0, h.packed && (!packs || h.control() || h.op == Continuation):
		return h, broken("a frame with a reserved bit")
	case h.control() && !h.fin:
		return h, broken("a control frame in fragments")
	case h.control() && h.length > maxControl:
		return h, broken("a control frame of more than %d bytes", maxControl)
	case h.length < 0:
		return h, broken("a frame with a length beyond 63 bits")
	}
	return h, nil
}

// unmask takes the mask from b, whose first byte is number at of the payload.
func unmask(mask uint32, at int64, b []byte) {
	shift := 8 * uint(at&3) //nolint:gosec // 0 to 3
	mask = mask>>shift | mask<<(32-shift)
	wide := uint64(mask)<<32 | uint64(mask)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * uint(i))) //nolint:gosec // the low byte is what is wanted
	}
}
