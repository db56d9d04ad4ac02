package protocol

import (
	"fmt"
	"strings"
)

// Reference gives the table of docs/protocol.md that has each field of each payload in all encodings.
func Reference() string {
	var b strings.Builder
	b.WriteString("| type | sent by | field | JSON | MessagePack | Protobuf | |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, t := range Types() {
		for _, side := range []struct {
			from Side
			name string
		}{{FromClient, "client"}, {FromServer, "server"}} {
			p := t.payload(side.from)
			if p == nil || t.spec().from&side.from == 0 {
				continue
			}
			who := side.name
			if _, echo := p.(*Echo); echo {
				if side.from == FromServer {
					continue
				}
				who = "both"
			}
			head := fmt.Sprintf("`%s` = %d | %s", t, protoPayload+t.spec().number, who)
			referenceRows(&b, head, "", fieldsOf(p))
		}
	}
	return b.String()
}

func referenceRows(b *strings.Builder, head, path string, fields []described) {
	for _, f := range fields {
		name := "`" + path + f.name + "`"
		if f.kind == "object" {
			name = "the payload itself; in Protobuf `" + f.name + "`"
		}
		k := referenceKind(f)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s = %d | %s |\n", head, name, k[0], k[1], k[2], f.num, referenceNote(f))
		head = " | "
		referenceRows(b, head, path+f.name+"[].", f.fields)
	}
}

// referenceKind says how a kind of field is written in JSON, MessagePack and Protobuf.
func referenceKind(f described) [3]string {
	switch f.kind {
	case "number":
		return [3]string{"number", "int", "uint64"}
	case "flag":
		return [3]string{"boolean", "bool", "bool"}
	case "value":
		return [3]string{"any value", "any value but bin and ext", "string of JSON"}
	case "object":
		return [3]string{"object", "map", "string of JSON"}
	case "bytes":
		return [3]string{"base64", "bin", "bytes"}
	case "texts":
		return [3]string{"list of strings", "array of str", "repeated string"}
	case "records":
		return [3]string{"list of objects", "array of maps", "repeated " + f.record}
	}
	return [3]string{"string", "str", "string"}
}

func referenceNote(f described) string {
	var notes []string
	if f.need {
		notes = append(notes, "required")
	}
	if f.most > 0 {
		notes = append(notes, fmt.Sprintf("at most %d", f.most))
	}
	switch {
	case f.max == 0:
	case f.free:
		notes = append(notes, "for people; any characters")
	case f.most > 0:
		notes = append(notes, fmt.Sprintf("each 1 to %d bytes", f.max))
	default:
		notes = append(notes, fmt.Sprintf("1 to %d bytes", f.max))
	}
	return strings.Join(notes, ", ")
}
