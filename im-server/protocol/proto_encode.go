package protocol

import (
	"encoding/json"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// protoCodec writes envelopes as Protobuf, as im.v1.proto describes them.
type protoCodec struct{ encoders sync.Pool }

// Protobuf is the codec of the subprotocol im.v1.protobuf: binary messages, each one ClientEnvelope or ServerEnvelope.
func Protobuf() Codec {
	return &protoCodec{encoders: sync.Pool{New: func() any { return new(protoEncoder) }}}
}

func (*protoCodec) Name() string { return SubprotocolProtobuf }
func (*protoCodec) Binary() bool { return true }

// The fields of an envelope. The number of a payload's field is that of its type and protoPayload.
const (
	protoVersion = 1
	protoType    = 2
	protoID      = 3
	protoSeq     = 4
	protoTS      = 5
	protoPayload = 15
)

func (c *protoCodec) Append(dst []byte, e *Envelope) []byte {
	return appendProtoSeq(c.appendHead(dst, e), e.Seq)
}

// Split puts everything into the head: the number may come last.
func (c *protoCodec) Split(e *Envelope) Parts { return Parts{Head: c.appendHead(nil, e)} }

func (*protoCodec) AppendNumbered(dst []byte, p Parts, seq int64) []byte {
	return appendProtoSeq(append(dst, p.Head...), seq)
}

func appendProtoSeq(dst []byte, seq int64) []byte { return appendVarint(dst, protoSeq, seq) }

func (c *protoCodec) appendHead(dst []byte, e *Envelope) []byte {
	number := e.Type.spec().number
	dst = appendVarint(dst, protoVersion, Version)
	dst = appendVarint(dst, protoType, int64(number))
	if e.ID != "" {
		dst = protowire.AppendString(protowire.AppendTag(dst, protoID, protowire.BytesType), e.ID)
	}
	dst = appendVarint(dst, protoTS, e.TS)
	if e.Payload == nil {
		return dst
	}
	enc, _ := c.encoders.Get().(*protoEncoder)
	defer c.encoders.Put(enc)
	enc.dst = enc.dst[:0]
	e.Payload.walk(enc)
	dst = protowire.AppendTag(dst, protowire.Number(protoPayload+number), protowire.BytesType)
	return protowire.AppendBytes(dst, enc.dst)
}

func appendVarint(dst []byte, number protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), uint64(v)) //nolint:gosec // not negative
}

// protoEncoder appends the fields of a payload. Fields without a value are left out, as proto3 does.
type protoEncoder struct{ dst []byte }

var _ coder = (*protoEncoder)(nil)

func (c *protoEncoder) tag(f field) {
	c.dst = protowire.AppendTag(c.dst, protowire.Number(f.num), protowire.BytesType)
}

func (c *protoEncoder) text(f field, v *string) {
	if *v != "" {
		c.tag(f)
		c.dst = protowire.AppendString(c.dst, *v)
	}
}

func (c *protoEncoder) number(f field, v *int64) {
	c.dst = appendVarint(c.dst, protowire.Number(f.num), *v)
}

func (c *protoEncoder) flag(f field, v *bool) {
	if *v {
		c.dst = appendVarint(c.dst, protowire.Number(f.num), 1)
	}
}

func (c *protoEncoder) value(f field, v *json.RawMessage) { c.bytes(f, (*[]byte)(v)) }

func (c *protoEncoder) object(f field, v *json.RawMessage) { c.bytes(f, (*[]byte)(v)) }

func (c *protoEncoder) bytes(f field, v *[]byte) {
	if *v != nil {
		c.tag(f)
		c.dst = protowire.AppendBytes(c.dst, *v)
	}
}

func (c *protoEncoder) texts(f field, v *[]string) {
	for _, s := range *v {
		c.tag(f)
		c.dst = protowire.AppendString(c.dst, s)
	}
}

func (c *protoEncoder) records(f field, v records) {
	for i := range v.len() {
		var inner protoEncoder
		v.at(i).walk(&inner)
		c.tag(f)
		c.dst = protowire.AppendBytes(c.dst, inner.dst)
	}
}
