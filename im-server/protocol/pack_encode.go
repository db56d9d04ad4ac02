package protocol

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/tinylib/msgp/msgp"
)

// packCodec writes envelopes as MessagePack: maps with the same names as in JSON.
type packCodec struct{ encoders sync.Pool }

// MessagePack is the codec of the subprotocol im.v1.msgpack: binary messages, each one map. A body is a native value:
// its numbers are 64-bit integers where they are whole and fit, else doubles.
func MessagePack() Codec {
	return &packCodec{encoders: sync.Pool{New: func() any { return new(packEncoder) }}}
}

func (*packCodec) Name() string { return SubprotocolMessagePack }
func (*packCodec) Binary() bool { return true }

func (c *packCodec) Append(dst []byte, e *Envelope) []byte {
	return msgp.AppendInt64(c.appendHead(dst, e), e.Seq)
}

// Split puts everything but the number, which comes last, into the head.
func (c *packCodec) Split(e *Envelope) Parts { return Parts{Head: c.appendHead(nil, e)} }

func (*packCodec) AppendNumbered(dst []byte, p Parts, seq int64) []byte {
	return msgp.AppendInt64(append(dst, p.Head...), seq)
}

// appendHead appends all up to the value of seq, which is always there, so that the size of the map is known before.
func (c *packCodec) appendHead(dst []byte, e *Envelope) []byte {
	size := uint32(3)
	echo, _ := e.Payload.(*Echo)
	carries := e.Payload != nil && (echo == nil || len(echo.Body) > 0)
	for _, there := range []bool{e.ID != "", e.TS != 0, carries} {
		if there {
			size++
		}
	}
	dst = msgp.AppendMapHeader(dst, size)
	dst = msgp.AppendInt(msgp.AppendString(dst, "v"), Version)
	dst = msgp.AppendString(msgp.AppendString(dst, "type"), string(e.Type))
	if e.ID != "" {
		dst = msgp.AppendString(msgp.AppendString(dst, "id"), e.ID)
	}
	if e.TS != 0 {
		dst = msgp.AppendInt64(msgp.AppendString(dst, "ts"), e.TS)
	}
	if carries {
		dst = msgp.AppendString(dst, "payload")
	}
	switch {
	case !carries:
	case echo != nil: // it is the payload
		dst = packJSON(dst, echo.Body)
	default:
		enc, _ := c.encoders.Get().(*packEncoder)
		enc.dst = dst
		enc.record(e.Payload)
		dst, enc.dst = enc.dst, nil
		c.encoders.Put(enc)
	}
	return msgp.AppendString(dst, "seq")
}

// packEncoder appends the fields of a payload. Fields without a value are left out.
type packEncoder struct {
	dst  []byte
	size uint32 // fields of this map
}

var _ coder = (*packEncoder)(nil)

// record appends a map. Its size is known when all is there: there are never so many fields that it takes more than
// the one byte that is kept for it.
func (c *packEncoder) record(p Payload) {
	outer, at := c.size, len(c.dst)
	c.dst, c.size = append(c.dst, 0), 0
	p.walk(c)
	c.dst[at] = 0x80 | byte(c.size) // fixmap
	c.size = outer
}

func (c *packEncoder) key(f field) {
	c.size++
	c.dst = msgp.AppendString(c.dst, f.name)
}

func (c *packEncoder) text(f field, v *string) {
	if *v != "" || f.need {
		c.key(f)
		c.dst = msgp.AppendString(c.dst, *v)
	}
}

func (c *packEncoder) number(f field, v *int64) {
	if *v != 0 || f.need {
		c.key(f)
		c.dst = msgp.AppendInt64(c.dst, *v)
	}
}

func (c *packEncoder) flag(f field, v *bool) {
	if *v {
		c.key(f)
		c.dst = msgp.AppendBool(c.dst, true)
	}
}

func (c *packEncoder) value(f field, v *json.RawMessage) {
	if *v != nil {
		c.key(f)
		c.dst = packJSON(c.dst, *v)
	}
}

func (c *packEncoder) object(f field, v *json.RawMessage) { c.value(f, v) }

func (c *packEncoder) bytes(f field, v *[]byte) {
	if *v != nil {
		c.key(f)
		c.dst = msgp.AppendBytes(c.dst, *v)
	}
}

func (c *packEncoder) texts(f field, v *[]string) {
	if len(*v) == 0 {
		return
	}
	c.key(f)
	c.dst = msgp.AppendArrayHeader(c.dst, uint32(len(*v))) //nolint:gosec // at most field.most
	for _, s := range *v {
		c.dst = msgp.AppendString(c.dst, s)
	}
}

func (c *packEncoder) records(f field, v records) {
	if v.len() == 0 {
		return
	}
	c.key(f)
	c.dst = msgp.AppendArrayHeader(c.dst, uint32(v.len())) //nolint:gosec // a list of ours
	for i := range v.len() {
		c.record(v.at(i))
	}
}

// packJSON appends a JSON value, which must be valid, as MessagePack.
func packJSON(dst, raw []byte) []byte {
	raw = raw[blank(raw, 0):]
	switch raw[0] {
	case '"':
		s, err := str(raw[:skipString(raw, 0)], "")
		if err != nil { // it is valid JSON
			return msgp.AppendNil(dst)
		}
		return msgp.AppendString(dst, s)
	case '{':
		return packObject(dst, raw)
	case '[':
		return packList(dst, raw)
	case 't', 'f':
		return msgp.AppendBool(dst, raw[0] == 't')
	case 'n':
		return msgp.AppendNil(dst)
	}
	return packNumber(dst, string(raw[:skip(raw, 0)]))
}

func packNumber(dst []byte, s string) []byte {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return msgp.AppendInt64(dst, n)
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return msgp.AppendUint64(dst, n)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil { // beyond a double: the nearest there is
		f = max(-maxDouble, min(maxDouble, f))
	}
	return msgp.AppendFloat64(dst, f)
}

const maxDouble = 0x1p1023 * (1 + (1 - 0x1p-52))

func packList(dst, raw []byte) []byte {
	n := uint32(0)
	each(raw, func([]byte) { n++ })
	dst = msgp.AppendArrayHeader(dst, n)
	each(raw, func(v []byte) { dst = packJSON(dst, v) })
	return dst
}

func packObject(dst, raw []byte) []byte {
	n := uint32(0)
	each(raw, func([]byte) { n++ })
	dst = msgp.AppendMapHeader(dst, n/2)
	each(raw, func(v []byte) { dst = packJSON(dst, v) })
	return dst
}

// each calls f for every value of a list, or for every key and value of an object.
func each(raw []byte, f func([]byte)) {
	i := blank(raw, 1)
	for raw[i] != ']' && raw[i] != '}' {
		if raw[i] == ',' || raw[i] == ':' {
			i = blank(raw, i+1)
		}
		end := skip(raw, i)
		f(raw[i:end])
		i = end
		for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
			i++
		}
	}
}
