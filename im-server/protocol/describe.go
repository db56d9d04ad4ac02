package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
)

// described is one field as a schema sees it.
type described struct {
	field
	kind   string      // text, number, flag, value, object, bytes, texts, records
	fields []described // of each record
	record string      // its name
}

// describer collects the fields of a payload.
type describer []described

var _ coder = (*describer)(nil)

func fieldsOf(p Payload) []described {
	var d describer
	p.walk(&d)
	return d
}

func (d *describer) text(f field, _ *string)  { *d = append(*d, described{field: f, kind: "text"}) }
func (d *describer) number(f field, _ *int64) { *d = append(*d, described{field: f, kind: "number"}) }
func (d *describer) flag(f field, _ *bool)    { *d = append(*d, described{field: f, kind: "flag"}) }
func (d *describer) value(f field, _ *json.RawMessage) {
	*d = append(*d, described{field: f, kind: "value"})
}

func (d *describer) object(f field, _ *json.RawMessage) {
	*d = append(*d, described{field: f, kind: "object"})
}

func (d *describer) bytes(f field, _ *[]byte) { *d = append(*d, described{field: f, kind: "bytes"}) }

func (d *describer) texts(f field, _ *[]string) { *d = append(*d, described{field: f, kind: "texts"}) }

func (d *describer) records(f field, v records) {
	p := v.add()
	*d = append(*d, described{field: f, kind: "records", fields: fieldsOf(p), record: payloadName(p)})
}

// payloadName is what a payload is called in a schema: the name of its type here.
func payloadName(p Payload) string {
	_, name, _ := strings.Cut(fmt.Sprintf("%T", p), ".")
	return name
}

// Proto gives im.v1.proto: the protocol as Protobuf describes it.
func Proto() string {
	var b strings.Builder
	b.WriteString(`// The envelopes of the subprotocol im.v1.protobuf. Generated from the payloads of this package; see docs/protocol.md.
syntax = "proto3";

package im.v1;

enum Type {
  TYPE_UNSPECIFIED = 0;
`)
	for _, t := range Types() {
		fmt.Fprintf(&b, "  TYPE_%s = %d;\n", strings.ToUpper(string(t)), t.spec().number)
	}
	b.WriteString("}\n")
	written := map[string]bool{}
	for _, side := range []struct {
		from Side
		name string
	}{{FromClient, "ClientEnvelope"}, {FromServer, "ServerEnvelope"}} {
		fmt.Fprintf(&b, "\nmessage %s {\n  uint32 v = %d;\n  Type type = %d;\n  string id = %d;\n  uint64 seq = %d;\n  uint64 ts = %d;\n  oneof payload {\n",
			side.name, protoVersion, protoType, protoID, protoSeq, protoTS)
		var payloads []Payload
		for _, t := range Types() {
			if p := t.payload(side.from); p != nil && t.spec().from&side.from != 0 {
				fmt.Fprintf(&b, "    %s %s = %d;\n", payloadName(p), t, protoPayload+t.spec().number)
				payloads = append(payloads, p)
			}
		}
		b.WriteString("  }\n}\n")
		for _, p := range payloads {
			protoMessage(&b, payloadName(p), fieldsOf(p), written)
		}
	}
	return b.String()
}

func protoMessage(b *strings.Builder, name string, fields []described, written map[string]bool) {
	if written[name] {
		return
	}
	written[name] = true
	for _, f := range fields {
		if f.kind == "records" {
			protoMessage(b, f.record, f.fields, written)
		}
	}
	fmt.Fprintf(b, "\nmessage %s {\n", name)
	for _, f := range fields {
		kind := map[string]string{
			"text": "string", "number": "uint64", "flag": "bool", "value": "optional string", "object": "optional string",
			"bytes": "optional bytes", "texts": "repeated string", "records": "repeated " + f.record,
		}[f.kind]
		note := ""
		if f.kind == "value" || f.kind == "object" {
			note = " // JSON"
		}
		fmt.Fprintf(b, "  %s %s = %d;%s\n", kind, f.name, f.num, note)
	}
	b.WriteString("}\n")
}

// Schema gives the JSON Schema of the envelopes of the subprotocol im.v1.json: those of a client under the definition
// client, those of a server under server.
func Schema() ([]byte, error) {
	sides := map[string]any{}
	for name, from := range map[string]Side{"client": FromClient, "server": FromServer} {
		var kinds []any
		for _, t := range Types() {
			if t.spec().from&from != 0 {
				kinds = append(kinds, envelopeSchema(t, from))
			}
		}
		sides[name] = map[string]any{"oneOf": kinds}
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Envelopes of the IM protocol, version 1", "$defs": sides,
		"anyOf": []any{map[string]any{"$ref": "#/$defs/client"}, map[string]any{"$ref": "#/$defs/server"}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(b, '\n'), nil
}

func envelopeSchema(t Type, from Side) any {
	required := []string{"v", "type"}
	if t.spec().needsID {
		required = append(required, "id")
	}
	natural := map[string]any{"type": "integer", "minimum": 0, "maximum": 1<<53 - 1}
	properties := map[string]any{
		"v": map[string]any{"const": Version}, "type": map[string]any{"const": string(t)}, "seq": natural, "ts": natural,
		"id": map[string]any{"type": "string", "minLength": 1, "maxLength": MaxID},
	}
	switch p := t.payload(from).(type) {
	case nil:
	case *Echo:
		properties["payload"] = map[string]any{"type": "object"}
	default:
		payload := recordSchema(fieldsOf(p), from)
		properties["payload"] = payload
		if _, ok := payload["required"]; ok {
			required = append(required, "payload")
		}
	}
	return map[string]any{"type": "object", "required": required, "properties": properties, "additionalProperties": from == FromServer}
}

func recordSchema(fields []described, from Side) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range fields {
		if f.need {
			required = append(required, f.name)
		}
		text := map[string]any{"type": "string", "minLength": 1, "maxLength": f.max}
		switch f.kind {
		case "text":
			if properties[f.name] = text; f.free {
				properties[f.name] = map[string]any{"type": "string"}
			}
		case "number":
			properties[f.name] = map[string]any{"type": "integer", "minimum": 0, "maximum": 1<<53 - 1}
		case "flag":
			properties[f.name] = map[string]any{"type": "boolean"}
		case "value":
			properties[f.name] = true
		case "object":
			properties[f.name] = map[string]any{"type": "object"}
		case "bytes":
			properties[f.name] = map[string]any{"type": "string", "contentEncoding": "base64"}
		case "texts":
			properties[f.name] = map[string]any{"type": "array", "items": text, "maxItems": f.most}
		case "records":
			properties[f.name] = map[string]any{"type": "array", "items": recordSchema(f.fields, from)}
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": from == FromServer}
	if required != nil {
		s["required"] = required
	}
	return s
}
