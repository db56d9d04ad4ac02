package protocol

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

func (c *packCodec) Decode(data []byte, from Side) (Envelope, error) {
	var e Envelope
	var payload []byte
	version := false
	rest, err := packFields(data, "", func(key string, raw []byte) (err error) {
		switch key {
		case "v":
			version, err = true, packVersion(raw)
		case "type":
			err = packType(raw, &e.Type)
		case "id":
			e.ID, err = packName(raw, key, MaxID)
		case "seq":
			e.Seq, err = packNatural(raw, key)
		case "ts":
			e.TS, err = packNatural(raw, key)
		case "payload":
			if payload = raw; msgp.NextType(raw) != msgp.MapType {
				err = fault(CodeBadField, key, "must be a map, not %s", packKind(raw))
			}
		default:
			if from == FromClient {
				err = fault(CodeUnknownField, clip([]byte(key)), "unknown field; allowed are v, type, id, seq, ts, payload")
			}
		}
		return err
	})
	if err == nil && len(rest) > 0 {
		err = fault(CodeBadFormat, "", "%d bytes stand behind the map", len(rest))
	}
	if err == nil {
		err = finish(&e, version, from)
	}
	if err == nil {
		err = decodePackPayload(&e, payload, from)
	}
	return e, err
}

func decodePackPayload(e *Envelope, raw []byte, from Side) (err error) {
	p := e.Type.payload(from)
	if echo, ok := p.(*Echo); ok {
		if e.Payload = p; raw != nil {
			echo.Body, _, err = unpackJSON(nil, raw, "payload", 0)
		}
		return err
	}
	if raw == nil {
		raw = []byte{0x80} // an empty map
	}
	if p == nil {
		if n, _, _ := msgp.ReadMapHeaderBytes(raw); n > 0 && from == FromClient {
			return fault(CodeUnknownField, "payload", "a %s has none", e.Type)
		}
		return nil
	}
	d := packDecoder{taking: taking{from: from}}
	if err := d.record(p, raw, "payload"); err != nil {
		return err
	}
	e.Payload = p
	return nil
}

func packVersion(raw []byte) error {
	if n, err := packNatural(raw, "v"); err != nil || n != Version {
		return fault(CodeUnsupportedVersion, "v", "must be %d", Version)
	}
	return nil
}

func packType(raw []byte, t *Type) error {
	s, err := packText(raw, "type")
	if err != nil {
		return err
	}
	if Type(s).spec().number == 0 {
		return fault(CodeUnknownType, "type", "unknown type %q", clip([]byte(s)))
	}
	*t = Type(s)
	return nil
}

// packFields calls f for every field of a map, with its raw value, and gives what stands behind the map.
func packFields(data []byte, path string, f func(key string, raw []byte) error) ([]byte, error) {
	n, rest, err := msgp.ReadMapHeaderBytes(data)
	if err != nil {
		return nil, fault(CodeBadFormat, path, "must be one map in MessagePack")
	}
	if n > maxFields {
		return nil, fault(CodeUnknownField, path, "more than %d fields in one map", maxFields)
	}
	var room [maxFields]string // on the stack, as with JSON
	seen := room[:0]
	for range n {
		var key string
		if key, rest, err = msgp.ReadStringBytes(rest); err != nil || !utf8.ValidString(key) {
			return nil, fault(CodeBadFormat, path, "a key is no string in MessagePack")
		}
		if slices.Contains(seen, key) {
			return nil, fault(CodeDuplicateField, path+clip([]byte(key)), "stands twice")
		}
		seen = append(seen, key)
		size, err := packSize(rest, 0)
		if err != nil {
			return nil, fault(CodeBadFormat, path+clip([]byte(key)), "not MessagePack: %v", err)
		}
		raw := rest[:size:size]
		rest = rest[size:]
		if err := f(key, raw); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// packSize is how many bytes the value that data begins with has. Values may be nested MaxDepth deep, and a little more
// for the maps around them.
func packSize(data []byte, depth int) (int, error) {
	if depth > MaxDepth+4 {
		return 0, fault(CodeBadFormat, "", "nested more than %d deep", MaxDepth)
	}
	var n uint32
	var rest []byte
	var err error
	switch msgp.NextType(data) {
	case msgp.MapType:
		if n, rest, err = msgp.ReadMapHeaderBytes(data); n > math.MaxUint32/2 {
			return 0, msgp.ErrShortBytes
		}
		n *= 2
	case msgp.ArrayType:
		n, rest, err = msgp.ReadArrayHeaderBytes(data)
	default:
		rest, err = msgp.Skip(data)
		return len(data) - len(rest), err
	}
	if err != nil {
		return 0, err
	}
	if int64(n) > int64(len(rest)) { // each has a byte at least
		return 0, msgp.ErrShortBytes
	}
	for range n {
		size, err := packSize(rest, depth+1)
		if err != nil {
			return 0, err
		}
		rest = rest[size:]
	}
	return len(data) - len(rest), nil
}

func packText(raw []byte, field string) (string, error) {
	s, _, err := msgp.ReadStringBytes(raw)
	switch {
	case err != nil:
		return "", fault(CodeBadField, field, "must be a string, not %s", packKind(raw))
	case !utf8.ValidString(s):
		return "", fault(CodeBadFormat, field, "not valid UTF-8")
	}
	return s, nil
}

func packName(raw []byte, field string, most int) (string, error) {
	s, err := packText(raw, field)
	if err != nil {
		return "", err
	}
	return s, checkName(s, field, most)
}

func packNatural(raw []byte, field string) (int64, error) {
	n, _, err := msgp.ReadInt64Bytes(raw)
	if err != nil || n < 0 || n >= 1<<53 {
		return 0, fault(CodeBadField, field, "must be a whole number from 0 to 2^53-1")
	}
	return n, nil
}

func packKind(raw []byte) string {
	switch msgp.NextType(raw) {
	case msgp.StrType:
		return "a string"
	case msgp.MapType:
		return "a map"
	case msgp.ArrayType:
		return "a list"
	case msgp.BoolType:
		return "a boolean"
	case msgp.NilType:
		return "nil"
	case msgp.BinType:
		return "bytes"
	case msgp.ExtensionType, msgp.TimeType, msgp.DurationType, msgp.Complex64Type, msgp.Complex128Type:
		return "an extension"
	}
	return "a number"
}

// packDecoder reads the fields of a payload, by the keys of a map.
type packDecoder struct {
	taking
	key string
	raw []byte
}

var _ coder = (*packDecoder)(nil)

func (d *packDecoder) record(p Payload, raw []byte, path string) error {
	in := packDecoder{taking: taking{from: d.from, path: path}}
	_, err := packFields(raw, path+".", func(key string, raw []byte) error {
		in.key, in.raw, in.taken = key, raw, false
		p.walk(&in)
		if in.unknown() {
			return fault(CodeUnknownField, path+"."+clip([]byte(key)), "unknown field; allowed are %s", allowed(p))
		}
		return in.err
	})
	if err != nil {
		return err
	}
	return in.end(p, &in)
}

func (d *packDecoder) takes(f field) bool { return d.taking.takes(f, d.key == f.name, f.need) }

func (d *packDecoder) text(f field, v *string) {
	switch {
	case !d.takes(f):
	case f.free:
		*v, d.err = packText(d.raw, d.at(f))
	default:
		*v, d.err = packName(d.raw, d.at(f), f.max)
	}
}

func (d *packDecoder) number(f field, v *int64) {
	if d.takes(f) {
		*v, d.err = packNatural(d.raw, d.at(f))
	}
}

func (d *packDecoder) flag(f field, v *bool) {
	if !d.takes(f) {
		return
	}
	b, _, err := msgp.ReadBoolBytes(d.raw)
	if *v = b; err != nil {
		d.err = fault(CodeBadField, d.at(f), "must be true or false, not %s", packKind(d.raw))
	}
}

func (d *packDecoder) value(f field, v *json.RawMessage) {
	if d.takes(f) {
		*v, _, d.err = unpackJSON(nil, d.raw, d.at(f), 0)
	}
}

func (d *packDecoder) object(f field, v *json.RawMessage) {
	if d.takes(f) {
		if *v, _, d.err = unpackJSON(nil, d.raw, d.at(f), 0); d.err == nil && (*v)[0] != '{' {
			d.err = fault(CodeBadField, d.at(f), "must be a map, not %s", packKind(d.raw))
		}
	}
}

func (d *packDecoder) bytes(f field, v *[]byte) {
	if !d.takes(f) {
		return
	}
	b, _, err := msgp.ReadBytesBytes(d.raw, nil)
	if err != nil {
		d.err = fault(CodeBadField, d.at(f), "must be bytes, not %s", packKind(d.raw))
		return
	}
	if *v = b; b == nil {
		*v = []byte{}
	}
}

// entries calls f for every entry of a list.
func (d *packDecoder) entries(f field, each func(i int, raw []byte) error) error {
	n, rest, err := msgp.ReadArrayHeaderBytes(d.raw)
	if err != nil {
		return fault(CodeBadField, d.at(f), "must be a list, not %s", packKind(d.raw))
	}
	for i := range int(n) {
		size, err := packSize(rest, 0)
		if err != nil {
			return fault(CodeBadFormat, d.at(f), "not MessagePack: %v", err)
		}
		if err := each(i, rest[:size]); err != nil {
			return err
		}
		rest = rest[size:]
	}
	return nil
}

func (d *packDecoder) texts(f field, v *[]string) {
	if !d.takes(f) {
		return
	}
	d.err = d.entries(f, func(i int, raw []byte) error {
		if i == f.most {
			return fault(CodeTooMany, d.at(f), "more than %d", f.most)
		}
		s, err := packName(raw, d.at(f), f.max)
		*v = append(*v, s)
		return err
	})
}

func (d *packDecoder) records(f field, v records) {
	if !d.takes(f) {
		return
	}
	d.err = d.entries(f, func(_ int, raw []byte) error {
		if msgp.NextType(raw) != msgp.MapType {
			return fault(CodeBadField, d.at(f), "must be a list of maps, not of %s", packKind(raw))
		}
		return d.record(v.add(), raw, d.at(f))
	})
}

// unpackJSON appends the value that raw begins with as JSON, and gives what stands behind it. What JSON cannot say is a
// fault.
func unpackJSON(dst, raw []byte, field string, depth int) (_, rest []byte, err error) {
	if depth > MaxDepth {
		return nil, nil, fault(CodeBadField, field, "nested more than %d deep", MaxDepth)
	}
	switch msgp.NextType(raw) {
	case msgp.StrType:
		s, err := packText(raw, field)
		if err != nil {
			return nil, nil, err
		}
		_, rest, _ = msgp.ReadStringZC(raw) // it was read
		return appendString(dst, s), rest, nil
	case msgp.MapType:
		return unpackMap(dst, raw, field, depth)
	case msgp.ArrayType:
		return unpackList(dst, raw, field, depth)
	case msgp.BoolType:
		b, rest, err := msgp.ReadBoolBytes(raw)
		return strconv.AppendBool(dst, b), rest, err
	case msgp.NilType:
		rest, err := msgp.ReadNilBytes(raw)
		return append(dst, "null"...), rest, err
	case msgp.IntType:
		n, rest, err := msgp.ReadInt64Bytes(raw)
		return strconv.AppendInt(dst, n, 10), rest, err
	case msgp.UintType:
		n, rest, err := msgp.ReadUint64Bytes(raw)
		return strconv.AppendUint(dst, n, 10), rest, err
	case msgp.Float32Type, msgp.Float64Type:
		f, rest, err := msgp.ReadFloat64Bytes(raw)
		b, bad := json.Marshal(f)
		if err != nil || bad != nil {
			return nil, nil, fault(CodeBadField, field, "has a number that JSON does not know")
		}
		return append(dst, b...), rest, nil
	}
	return nil, nil, fault(CodeBadField, field, "must not hold %s", packKind(raw))
}

func unpackList(dst, raw []byte, field string, depth int) (_, rest []byte, err error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(raw)
	if err != nil {
		return nil, nil, fault(CodeBadFormat, field, "not MessagePack: %v", err)
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, rest, err = unpackJSON(dst, rest, field, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, ']'), rest, nil
}

func unpackMap(dst, raw []byte, field string, depth int) (_, rest []byte, err error) {
	n, rest, err := msgp.ReadMapHeaderBytes(raw)
	if err != nil {
		return nil, nil, fault(CodeBadFormat, field, "not MessagePack: %v", err)
	}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if msgp.NextType(rest) != msgp.StrType {
			return nil, nil, fault(CodeBadField, field, "has a map with a key that is no string")
		}
		if dst, rest, err = unpackJSON(dst, rest, field, depth+1); err != nil {
			return nil, nil, err
		}
		if dst, rest, err = unpackJSON(append(dst, ':'), rest, field, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, '}'), rest, nil
}
