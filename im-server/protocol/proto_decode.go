package protocol

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// wireField is one field as it stands in a Protobuf message.
type wireField struct {
	num    protowire.Number
	kind   protowire.Type
	varint uint64
	bytes  []byte
}

// wireFields calls f for every field of a message.
func wireFields(msg []byte, path string, f func(wireField) error) error {
	for len(msg) > 0 {
		num, kind, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return fault(CodeBadFormat, path, "not Protobuf: %v", protowire.ParseError(n))
		}
		msg = msg[n:]
		w := wireField{num: num, kind: kind}
		switch kind {
		case protowire.VarintType:
			w.varint, n = protowire.ConsumeVarint(msg)
		case protowire.BytesType:
			w.bytes, n = protowire.ConsumeBytes(msg)
		default:
			n = protowire.ConsumeFieldValue(num, kind, msg)
		}
		if n < 0 {
			return fault(CodeBadFormat, path, "not Protobuf: %v", protowire.ParseError(n))
		}
		msg = msg[n:]
		if err := f(w); err != nil {
			return err
		}
	}
	return nil
}

func (c *protoCodec) Decode(data []byte, from Side) (Envelope, error) {
	var e Envelope
	var payload *wireField
	seen, version := uint64(0), false
	err := wireFields(data, "", func(w wireField) (err error) {
		if w.num <= protoTS {
			if seen&(1<<w.num) != 0 {
				return fault(CodeDuplicateField, envelopeField(w.num), "stands twice")
			}
			seen |= 1 << w.num
		}
		name := envelopeField(w.num)
		switch {
		case w.num == protoVersion:
			if version = true; w.kind != protowire.VarintType || w.varint != Version {
				err = fault(CodeUnsupportedVersion, name, "must be %d", Version)
			}
		case w.num == protoType:
			e.Type, err = w.typ()
		case w.num == protoID:
			e.ID, err = w.name(name, MaxID)
		case w.num == protoSeq:
			e.Seq, err = w.natural(name)
		case w.num == protoTS:
			e.TS, err = w.natural(name)
		case w.num > protoPayload && int(w.num) <= protoPayload+len(Types()):
			if payload != nil {
				return fault(CodeDuplicateField, "payload", "stands twice")
			}
			payload = &w
		case from == FromClient:
			err = fault(CodeUnknownField, "", "unknown field %d in the envelope", w.num)
		}
		return err
	})
	if err == nil {
		err = finish(&e, version, from)
	}
	if err == nil {
		err = decodeProtoPayload(&e, payload, from)
	}
	return e, err
}

func envelopeField(num protowire.Number) string {
	switch num {
	case protoVersion:
		return "v"
	case protoType:
		return "type"
	case protoID:
		return "id"
	case protoSeq:
		return "seq"
	case protoTS:
		return "ts"
	}
	return "payload"
}

func decodeProtoPayload(e *Envelope, w *wireField, from Side) error {
	p := e.Type.payload(from)
	switch {
	case w == nil:
		w = &wireField{kind: protowire.BytesType}
	case int(w.num) != protoPayload+e.Type.spec().number:
		return fault(CodeBadField, "payload", "it is that of another type than %s", e.Type)
	case p == nil && from == FromClient:
		return fault(CodeUnknownField, "payload", "a %s has none", e.Type)
	}
	if p == nil {
		return nil
	}
	if w.kind != protowire.BytesType {
		return fault(CodeBadField, "payload", "must be a message")
	}
	d := protoDecoder{taking: taking{from: from}}
	if err := d.record(p, w.bytes, "payload"); err != nil {
		return err
	}
	e.Payload = p
	return nil
}

func (w *wireField) typ() (Type, error) {
	for _, t := range Types() {
		if w.kind == protowire.VarintType && w.varint == uint64(t.spec().number) { //nolint:gosec // not negative
			return t, nil
		}
	}
	return "", fault(CodeUnknownType, "type", "unknown type %d", w.varint)
}

func (w *wireField) text(field string) (string, error) {
	if w.kind != protowire.BytesType {
		return "", fault(CodeBadField, field, "must be a string")
	}
	if !utf8.Valid(w.bytes) {
		return "", fault(CodeBadFormat, field, "not valid UTF-8")
	}
	return string(w.bytes), nil
}

func (w *wireField) name(field string, most int) (string, error) {
	s, err := w.text(field)
	if err != nil {
		return "", err
	}
	return s, checkName(s, field, most)
}

func (w *wireField) natural(field string) (int64, error) {
	if w.kind != protowire.VarintType || w.varint >= 1<<53 {
		return 0, fault(CodeBadField, field, "must be a whole number from 0 to 2^53-1")
	}
	return int64(w.varint), nil //nolint:gosec // checked
}

// protoDecoder reads the fields of a payload, by their numbers.
type protoDecoder struct {
	taking
	w wireField
}

var _ coder = (*protoDecoder)(nil)

func (d *protoDecoder) record(p Payload, msg []byte, path string) error {
	in := protoDecoder{taking: taking{from: d.from, path: path}}
	err := wireFields(msg, path, func(w wireField) error {
		in.w, in.taken = w, false
		p.walk(&in)
		if in.unknown() {
			return fault(CodeUnknownField, path, "unknown field %d; allowed are %s", w.num, allowed(p))
		}
		return in.err
	})
	if err != nil {
		return err
	}
	return in.end(p, &in)
}

// takes says whether the field that is being read is this one. Lists may have it often.
func (d *protoDecoder) takes(f field, often bool) bool {
	sent := int(d.w.num) == f.num
	twice := sent && d.seen&(1<<f.num) != 0 && !often
	if !d.taking.takes(f, sent, f.need && !f.zero) {
		return false
	}
	if twice {
		d.err = fault(CodeDuplicateField, d.at(f), "stands twice")
	}
	return !twice
}

func (d *protoDecoder) text(f field, v *string) {
	switch {
	case !d.takes(f, false):
	case f.free:
		*v, d.err = d.w.text(d.at(f))
	default:
		*v, d.err = d.w.name(d.at(f), f.max)
	}
}

func (d *protoDecoder) number(f field, v *int64) {
	if d.takes(f, false) {
		*v, d.err = d.w.natural(d.at(f))
	}
}

func (d *protoDecoder) flag(f field, v *bool) {
	if !d.takes(f, false) {
		return
	}
	if *v = d.w.varint == 1; d.w.kind != protowire.VarintType || d.w.varint > 1 {
		d.err = fault(CodeBadField, d.at(f), "must be true or false")
	}
}

func (d *protoDecoder) value(f field, v *json.RawMessage) { d.json(f, v, false) }

func (d *protoDecoder) object(f field, v *json.RawMessage) { d.json(f, v, true) }

func (d *protoDecoder) json(f field, v *json.RawMessage, object bool) {
	if !d.takes(f, false) {
		return
	}
	*v = d.w.bytes
	switch {
	case d.w.kind != protowire.BytesType || !utf8.Valid(*v) || !json.Valid(*v):
		d.err = fault(CodeBadField, d.at(f), "must be a string of JSON")
	case object && (*v)[blank(*v, 0)] != '{':
		d.err = fault(CodeBadField, d.at(f), "must be a JSON object")
	}
}

func (d *protoDecoder) bytes(f field, v *[]byte) {
	if !d.takes(f, false) {
		return
	}
	if d.w.kind != protowire.BytesType {
		d.err = fault(CodeBadField, d.at(f), "must be bytes")
		return
	}
	*v = slices.Clip(append([]byte{}, d.w.bytes...))
}

func (d *protoDecoder) texts(f field, v *[]string) {
	if !d.takes(f, true) {
		return
	}
	if len(*v) == f.most {
		d.err = fault(CodeTooMany, d.at(f), "more than %d", f.most)
		return
	}
	s, err := d.w.name(d.at(f), f.max)
	*v, d.err = append(*v, s), err
}

func (d *protoDecoder) records(f field, v records) {
	if !d.takes(f, true) {
		return
	}
	if d.w.kind != protowire.BytesType {
		d.err = fault(CodeBadField, d.at(f), "must be a message")
		return
	}
	d.err = d.record(v.add(), d.w.bytes, d.at(f))
}
