package protocol

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	docFile   = "../../docs/protocol.md"
	docBegins = "<!-- fields: made by go test ./im-server/protocol -update -->\n"
	docEnds   = "<!-- end of fields -->\n"
)

// TestDocumentHasEachField compares the document's table of fields with the payloads.
func TestDocumentHasEachField(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), docBegins)
	table, after, closed := strings.Cut(rest, docEnds)
	if !ok || !closed {
		t.Fatalf("%s has no place for the fields", docFile)
	}
	if *update {
		table = Reference()
		if err := os.WriteFile(docFile, []byte(before+docBegins+table+docEnds+after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(Reference(), table); diff != "" {
		t.Errorf("%s is not what the source says; make generate (-want +got):\n%s", docFile, diff)
	}
}

// TestDocumentHasEachTypeAndCode looks for a row of each type, and for each code of errors and each name of the handshake.
func TestDocumentHasEachTypeAndCode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), docBegins)
	_, after, _ := strings.Cut(rest, docEnds)
	doc := before + after // the made table says nothing of what is meant
	names := []string{
		SubprotocolJSON, SubprotocolMessagePack, SubprotocolProtobuf, HeaderDevice, HeaderPlatform, HeaderAppVersion, QueryToken, QueryDevice,
		QueryPlatform, QueryAppVersion, QueryVersion, QueryAttempt, QueryPrevReason, QueryPrevLife, QuerySession, QueryEpoch, QuerySeq, QueryWait,
	}
	for _, c := range Codes() {
		names = append(names, string(c))
	}
	for _, typ := range Types() {
		names = append(names, string(typ))
	}
	for _, name := range names {
		if !documented(doc, name) {
			t.Errorf("%s does not explain %s in a table", docFile, name)
		}
	}
}

// documented says whether one of the first two columns of a table names it.
func documented(doc, name string) bool {
	for line := range strings.Lines(doc) {
		cells := strings.Split(line, "|")
		if len(cells) >= 4 && strings.Contains(cells[1]+cells[2], "`"+name+"`") {
			return true
		}
	}
	return false
}
