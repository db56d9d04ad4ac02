package protocol

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"sync"
)

// jsonCodec writes envelopes as JSON text.
type jsonCodec struct{ encoders sync.Pool }

// JSON is the codec of the subprotocol im.v1.json: text messages, each one JSON object.
func JSON() Codec {
	return &jsonCodec{encoders: sync.Pool{New: func() any { return new(jsonEncoder) }}}
}

func (*jsonCodec) Name() string { return SubprotocolJSON }
func (*jsonCodec) Binary() bool { return false }

func (c *jsonCodec) Append(dst []byte, e *Envelope) []byte {
	if dst == nil {
		dst = make([]byte, 0, roughly(e))
	}
	return c.appendTail(appendSeq(appendHead(dst, e), e.Seq), e)
}

func (c *jsonCodec) Split(e *Envelope) Parts {
	b := appendHead(make([]byte, 0, roughly(e)), e)
	head := len(b)
	b = c.appendTail(b, e)
	return Parts{Head: b[:head:head], Tail: b[head:]}
}

// roughly is how many bytes an envelope takes, so that its buffer need not grow: at times more, seldom less.
func roughly(e *Envelope) int {
	n := 96 + len(e.ID)
	switch p := e.Payload.(type) {
	case *Message:
		n += 64 + len(p.From) + len(p.To) + len(p.Room) + len(p.Global) + len(p.Body) + base64.StdEncoding.EncodedLen(len(p.Data))
	case *Echo:
		n += len(p.Body)
	case nil:
	default:
		n += 64
	}
	return n
}

func (*jsonCodec) AppendNumbered(dst []byte, p Parts, seq int64) []byte {
	return append(appendSeq(append(dst, p.Head...), seq), p.Tail...)
}

func appendHead(dst []byte, e *Envelope) []byte {
	dst = append(dst, `{"v":1,"type":"`...)
	dst = append(dst, e.Type...)
	dst = append(dst, '"')
	if e.ID != "" {
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, e.ID)
	}
	return dst
}

func appendSeq(dst []byte, seq int64) []byte {
	if seq == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, `,"seq":`...), seq, 10)
}

func (c *jsonCodec) appendTail(dst []byte, e *Envelope) []byte {
	if e.TS != 0 {
		dst = append(dst, `,"ts":`...)
		dst = strconv.AppendInt(dst, e.TS, 10)
	}
	switch p := e.Payload.(type) {
	case nil:
	case *Echo: // it is the payload
		if len(p.Body) > 0 {
			dst = append(append(dst, `,"payload":`...), p.Body...)
		}
	default:
		enc, _ := c.encoders.Get().(*jsonEncoder)
		enc.dst = append(dst, `,"payload":`...)
		enc.record(p)
		dst, enc.dst = enc.dst, nil
		c.encoders.Put(enc)
	}
	return append(dst, '}')
}

// jsonEncoder appends the fields of a payload. Fields without a value are left out.
type jsonEncoder struct {
	dst  []byte
	some bool // a field was written into this object
}

var _ coder = (*jsonEncoder)(nil)

func (c *jsonEncoder) record(p Payload) {
	outer := c.some
	c.dst, c.some = append(c.dst, '{'), false
	p.walk(c)
	c.dst, c.some = append(c.dst, '}'), outer
}

func (c *jsonEncoder) key(f field) {
	if c.some {
		c.dst = append(c.dst, ',')
	}
	c.some = true
	c.dst = append(c.dst, '"')
	c.dst = append(c.dst, f.name...)
	c.dst = append(c.dst, '"', ':')
}

func (c *jsonEncoder) text(f field, v *string) {
	if *v != "" || f.need {
		c.key(f)
		c.dst = appendString(c.dst, *v)
	}
}

func (c *jsonEncoder) number(f field, v *int64) {
	if *v != 0 || f.need {
		c.key(f)
		c.dst = strconv.AppendInt(c.dst, *v, 10)
	}
}

func (c *jsonEncoder) flag(f field, v *bool) {
	if *v {
		c.key(f)
		c.dst = append(c.dst, "true"...)
	}
}

func (c *jsonEncoder) value(f field, v *json.RawMessage) {
	if *v != nil {
		c.key(f)
		c.dst = append(c.dst, *v...)
	}
}

func (c *jsonEncoder) object(f field, v *json.RawMessage) { c.value(f, v) }

func (c *jsonEncoder) bytes(f field, v *[]byte) {
	if *v != nil {
		c.key(f)
		c.dst = append(c.dst, '"')
		c.dst = base64.StdEncoding.AppendEncode(c.dst, *v)
		c.dst = append(c.dst, '"')
	}
}

func (c *jsonEncoder) texts(f field, v *[]string) {
	if len(*v) == 0 {
		return
	}
	c.key(f)
	c.dst = append(c.dst, '[')
	for i, s := range *v {
		if i > 0 {
			c.dst = append(c.dst, ',')
		}
		c.dst = appendString(c.dst, s)
	}
	c.dst = append(c.dst, ']')
}

func (c *jsonEncoder) records(f field, v records) {
	if v.len() == 0 {
		return
	}
	c.key(f)
	c.dst = append(c.dst, '[')
	for i := range v.len() {
		if i > 0 {
			c.dst = append(c.dst, ',')
		}
		c.record(v.at(i))
	}
	c.dst = append(c.dst, ']')
}
