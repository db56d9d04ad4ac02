package protocol

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

func (c *jsonCodec) Decode(data []byte, from Side) (Envelope, error) {
	if err := checkJSON(data); err != nil {
		return Envelope{}, err
	}
	var e Envelope
	var payload []byte
	version := false
	err := fields(data, "", func(key string, raw []byte) (err error) {
		switch key {
		case "v":
			version, err = true, decodeVersion(raw)
		case "type":
			err = decodeType(raw, &e.Type)
		case "id":
			e.ID, err = name(raw, key, MaxID)
		case "seq":
			e.Seq, err = natural(raw, key)
		case "ts":
			e.TS, err = natural(raw, key)
		case "payload":
			if payload = raw; raw[0] != '{' {
				err = fault(CodeBadField, key, "must be an object, not %s", kind(raw))
			}
		default:
			if from == FromClient {
				err = fault(CodeUnknownField, clip([]byte(key)), "unknown field; allowed are v, type, id, seq, ts, payload")
			}
		}
		return err
	})
	if err == nil {
		err = finish(&e, version, from)
	}
	if err == nil {
		err = decodePayload(&e, payload, from)
	}
	return e, err
}

// decodePayload reads what the type has.
func decodePayload(e *Envelope, raw []byte, from Side) error {
	p := e.Type.payload(from)
	if echo, ok := p.(*Echo); ok {
		echo.Body, e.Payload = raw, p
		return echo.check()
	}
	if p == nil {
		if raw != nil && from == FromClient && len(raw) > 2 {
			return fault(CodeUnknownField, "payload", "a %s has none", e.Type)
		}
		return nil
	}
	if raw == nil {
		raw = []byte("{}")
	}
	d := jsonDecoder{taking: taking{from: from}}
	if err := d.record(p, raw, "payload"); err != nil {
		return err
	}
	e.Payload = p
	return nil
}

func decodeVersion(raw []byte) error {
	if string(raw) != "1" {
		return fault(CodeUnsupportedVersion, "v", "must be %d, not %s", Version, clip(raw))
	}
	return nil
}

func decodeType(raw []byte, t *Type) error {
	for _, known := range Types() { // without a copy of its name
		if raw[0] == '"' && string(raw[1:len(raw)-1]) == string(known) {
			*t = known
			return nil
		}
	}
	s, err := str(raw, "type")
	if err != nil {
		return err
	}
	if Type(s).spec().number == 0 {
		return fault(CodeUnknownType, "type", "unknown type %q", clip([]byte(s)))
	}
	*t = Type(s)
	return nil
}

// checkJSON makes sure that data is one JSON object in UTF-8: what follows need not look for broken JSON.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return fault(CodeBadJSON, "", "not valid UTF-8")
	}
	if !validJSON(data) {
		var sink json.RawMessage
		return fault(CodeBadJSON, "", "not valid JSON: %v", json.Unmarshal(data, &sink))
	}
	if data[blank(data, 0)] != '{' {
		return fault(CodeBadJSON, "", "must be one JSON object")
	}
	return nil
}

// jsonDecoder reads the fields of a payload, by the keys of an object.
type jsonDecoder struct {
	taking
	key string
	raw []byte
}

var _ coder = (*jsonDecoder)(nil)

// record reads an object.
func (d *jsonDecoder) record(p Payload, raw []byte, path string) error {
	in := jsonDecoder{taking: taking{from: d.from, path: path}}
	err := fields(raw, path+".", func(key string, raw []byte) error {
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

// takes says whether the key that is being read is this field.
func (d *jsonDecoder) takes(f field) bool { return d.taking.takes(f, d.key == f.name, f.need) }

func (d *jsonDecoder) text(f field, v *string) {
	switch {
	case !d.takes(f):
	case f.free:
		*v, d.err = str(d.raw, d.at(f))
	default:
		if *v, d.err = name(d.raw, f.name, f.max); d.err != nil {
			*v, d.err = name(d.raw, d.at(f), f.max) // where it stands is only put together to be told
		}
	}
}

func (d *jsonDecoder) number(f field, v *int64) {
	if d.takes(f) {
		*v, d.err = natural(d.raw, d.at(f))
	}
}

func (d *jsonDecoder) flag(f field, v *bool) {
	if !d.takes(f) {
		return
	}
	switch string(d.raw) {
	case "true":
		*v = true
	case "false":
	default:
		d.err = fault(CodeBadField, d.at(f), "must be true or false, not %s", clip(d.raw))
	}
}

func (d *jsonDecoder) value(f field, v *json.RawMessage) {
	if d.takes(f) {
		*v = d.raw
	}
}

func (d *jsonDecoder) object(f field, v *json.RawMessage) {
	if d.takes(f) {
		if *v = d.raw; d.raw[0] != '{' {
			d.err = fault(CodeBadField, d.at(f), "must be an object, not %s", kind(d.raw))
		}
	}
}

func (d *jsonDecoder) bytes(f field, v *[]byte) {
	if !d.takes(f) {
		return
	}
	s, err := str(d.raw, d.at(f))
	if err != nil {
		d.err = err
		return
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		d.err = fault(CodeBadField, d.at(f), "must be base64 with padding")
		return
	}
	if *v = b; b == nil {
		*v = []byte{}
	}
}

func (d *jsonDecoder) texts(f field, v *[]string) {
	if !d.takes(f) {
		return
	}
	d.err = elements(d.raw, d.at(f), func(i int, raw []byte) error {
		if i == f.most {
			return fault(CodeTooMany, d.at(f), "more than %d", f.most)
		}
		s, err := name(raw, d.at(f), f.max)
		*v = append(*v, s)
		return err
	})
}

func (d *jsonDecoder) records(f field, v records) {
	if !d.takes(f) {
		return
	}
	d.err = elements(d.raw, d.at(f), func(_ int, raw []byte) error {
		if raw[0] != '{' {
			return fault(CodeBadField, d.at(f), "must be a list of objects, not of %s", kind(raw))
		}
		return d.record(v.add(), raw, d.at(f))
	})
}

// lister collects the names of a payload's fields.
type lister []string

func allowed(p Payload) string {
	var l lister
	p.walk(&l)
	return strings.Join(l, ", ")
}

func (l *lister) text(f field, _ *string)            { *l = append(*l, f.name) }
func (l *lister) number(f field, _ *int64)           { *l = append(*l, f.name) }
func (l *lister) flag(f field, _ *bool)              { *l = append(*l, f.name) }
func (l *lister) value(f field, _ *json.RawMessage)  { *l = append(*l, f.name) }
func (l *lister) object(f field, _ *json.RawMessage) { *l = append(*l, f.name) }
func (l *lister) bytes(f field, _ *[]byte)           { *l = append(*l, f.name) }
func (l *lister) texts(f field, _ *[]string)         { *l = append(*l, f.name) }
func (l *lister) records(f field, _ records)         { *l = append(*l, f.name) }
