package deadletter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type decoded struct {
	At        time.Time `json:"@timestamp"`
	ID        string    `json:"id"`
	Stage     string    `json:"stage"`
	Reason    string    `json:"reason"`
	Detail    string    `json:"detail"`
	File      string    `json:"file"`
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Part      int       `json:"part"`
	Encoding  string    `json:"encoding"`
	Original  string    `json:"original"`
}

func (d decoded) letter(t interface{ Fatal(...any) }) Letter {
	l := Letter{
		At: d.At, ID: d.ID, Stage: d.Stage, Reason: d.Reason, Detail: d.Detail, File: d.File, Topic: d.Topic,
		Partition: d.Partition, Offset: d.Offset, Part: d.Part, Original: []byte(d.Original),
	}
	if d.Encoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(d.Original)
		if err != nil {
			t.Fatal(err)
		}
		l.Original = b
	}
	return l
}

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
		var d decoded
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if diff := cmp.Diff(want, d.letter(t), cmp.Comparer(bytes.Equal)); diff != "" {
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
