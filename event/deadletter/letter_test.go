package deadletter

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What goes into a letter comes out of its JSON, byte by byte, and never much larger than it was.
func TestLetterKeepsTheBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Letter{
			At: time.Date(2026, 11, 21, 10, 0, 0, 1e6, time.UTC), ID: rapid.String().Draw(t, "id"), Stage: "shipper",
			Reason: "json", Detail: rapid.String().Draw(t, "detail"), Topic: "im.lifecycle", Partition: 3,
			Offset: rapid.Int64().Draw(t, "offset"), Part: rapid.IntRange(0, 9).Draw(t, "part"),
			Original: rapid.SliceOf(rapid.Byte()).Draw(t, "original"),
		}
		if rapid.Bool().Draw(t, "text") {
			want.Original = []byte(rapid.String().Draw(t, "text original"))
		}
		raw := want.AppendJSON(nil)
		got, err := Decode(raw)
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatal(diff)
		}
		if limit := 2*len(want.Original) + 6*len(want.Detail) + 6*len(want.ID) + 300; len(raw) > limit {
			t.Fatalf("%d bytes became %d", len(want.Original), len(raw))
		}
	})
}

func TestSplitHoldsAll(t *testing.T) {
	t.Parallel()
	a, b := Split(Letter{ID: "x", File: "f", Offset: 10, Original: []byte("abcde")})
	if string(a.Original)+string(b.Original) != "abcde" || b.Offset != 12 || a.ID == b.ID || a.Part == b.Part {
		t.Fatalf("%+v %+v", a, b)
	}
}
