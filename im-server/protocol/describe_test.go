package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the published schemas")

const (
	protoFile  = "im.v1.proto"
	schemaFile = "../../docs/protocol.schema.json"
)

// TestSchemasArePublished compares the files with what the payloads say.
func TestSchemasArePublished(t *testing.T) {
	t.Parallel()
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{protoFile: []byte(Proto()), schemaFile: schema} {
		if *update {
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the source says; make generate (-want +got):\n%s", file, diff)
		}
	}
}

// TestSchemaTakesWhatIsSent holds any valid envelope against the published JSON Schema.
func TestSchemaTakesWhatIsSent(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("protocol.json", doc); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]Side{"client": FromClient, "server": FromServer} {
		schema, err := compiler.Compile("protocol.json#/$defs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			e := genEnvelope(from).Draw(t, "envelope")
			line := JSON().Append(nil, &e)
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		})
		if err := schema.Validate(map[string]any{"v": json.Number("1"), "type": "nothing"}); err == nil {
			t.Errorf("%s: an unknown type was taken", name)
		}
	}
}

// TestProtoFileReadsWhatIsSent reads any valid envelope by the published file with Google's library, writes it again with
// that, and reads the result.
func TestProtoFileReadsWhatIsSent(t *testing.T) {
	t.Parallel()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), protoFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[protoreflect.Name]Side{"ClientEnvelope": FromClient, "ServerEnvelope": FromServer} {
		kind := files[0].Messages().ByName(name)
		rapid.Check(t, func(t *rapid.T) {
			want := genEnvelope(from).Draw(t, "envelope")
			msg := dynamicpb.NewMessage(kind)
			if err := proto.Unmarshal(Protobuf().Append(nil, &want), msg); err != nil {
				t.Fatal(err)
			}
			if unknown := unknownFields(msg); unknown != 0 {
				t.Fatalf("%d bytes of unknown fields in %v", unknown, msg)
			}
			again, err := proto.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Protobuf().Decode(again, from)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameJSON()); diff != "" {
				t.Fatalf("envelope (-want +got):\n%s", diff)
			}
		})
	}
}

func unknownFields(m protoreflect.Message) int {
	n := len(m.GetUnknown())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				n += unknownFields(v.List().Get(i).Message())
			}
		default:
			n += unknownFields(v.Message())
		}
		return true
	})
	return n
}

// TestPayloadNumbers keeps the numbers of payloads away from those of the envelope's own fields.
func TestPayloadNumbers(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for _, typ := range Types() {
		n := typ.spec().number
		if n < 1 || seen[n] || !protowire.Number(protoPayload+n).IsValid() {
			t.Errorf("%s has the number %d", typ, n)
		}
		seen[n] = true
	}
}
