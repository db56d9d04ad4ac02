package redis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/im-server/cluster"
)

func TestMessagesOutliveTheJournalAndTheFeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := cluster.Message{
			Topic: rapid.String().Draw(t, "topic"), ID: rapid.String().Draw(t, "id"), From: rapid.String().Draw(t, "from"),
			Session: rapid.String().Draw(t, "session"), At: rapid.Int64().Draw(t, "at"),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"), Binary: rapid.Bool().Draw(t, "binary"),
		}
		got, err := parseRecord(record(&m))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&m, got, sameBytes); diff != "" {
			t.Fatalf("from the journal (-want +got):\n%s", diff)
		}
	})
}

var sameBytes = cmp.Transformer("bytes", func(b []byte) string { return string(b) })

func FuzzParse(f *testing.F) {
	m := cluster.Message{Topic: "r:1", ID: "1", From: "al", Session: "s", At: 5, Body: []byte("{}")}
	f.Add("e 1 13 "+head(&m)+"{}", string(record(&m)))
	f.Add("e 1 -1 x", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Add("e 1 8 1 j 9 9 x", "")
	f.Fuzz(func(t *testing.T, feed, line string) {
		if m, err := parseFeed("r:1", feed); err == nil && len(m.From)+len(m.Session)+len(m.ID)+len(m.Body) > len(feed) {
			t.Errorf("%q gave more than it had: %+v", feed, m)
		}
		m, err := parseRecord([]byte(line))
		if err != nil {
			return
		}
		again, err := parseRecord(record(m))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again, sameBytes); diff != "" {
			t.Errorf("%q (-once +twice):\n%s", line, diff)
		}
	})
}
