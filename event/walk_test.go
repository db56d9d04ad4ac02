package event

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWalkGivesEachLeafWithItsPath(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	line := ` {"status":500,"user":"bob","a":{"b":{"c":"\u00e9"},"d.e":[1,{"x":2}]},"f":null,"g":{},"t":true} `
	if err := Walk(line, func(path []byte, raw string) { got[string(path)] = raw }); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"status": "500", "user": `"bob"`, "a.b.c": `"\u00e9"`, "a.d.e": `[1,{"x":2}]`, "f": "null", "t": "true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWalkRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "x", "[]", `{"a":1`, `{"a":01}`, `{"a":tru}`, `{"a":1} {"b":2}`, "{\"a\":\"\x01\"}", "{\"\xff\":1}", `{"a":"\ud800"}`,
		strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), `{"a":"` + strings.Repeat("x", MaxLine) + `"}`,
	} {
		if err := Walk(line, func([]byte, string) {}); err == nil {
			t.Errorf("%.60q was taken", line)
		}
	}
}

// Whatever is walked is JSON to the standard library too, and so is each of its leaves.
func FuzzWalk(f *testing.F) {
	f.Add(`{"a":{"b":[1,2,{"c":null}]},"d":"\u00e9\n"}`)
	f.Fuzz(func(t *testing.T, line string) {
		leaves := 0
		err := Walk(line, func(_ []byte, raw string) {
			leaves++
			if !json.Valid([]byte(raw)) {
				t.Fatalf("the leaf %q is no JSON", raw)
			}
		})
		if err == nil && !json.Valid([]byte(line)) {
			t.Fatalf("%q was taken", line)
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	line := `{"level":"info","ts":1763719200.123,"caller":"gateway/server.go:88","msg":"request","client_ip":"192.0.2.33","status":101,"latency":0.01234,"method":"GET","path":"/ws/connect","connId":"c-123","userId":"u-456","ctx":{"platform":"ios","trace":"0af7651916cd43dd8448eb211c80319c"}}`
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := Walk(line, func([]byte, string) { n++ }); err != nil {
			b.Fatal(err)
		}
	}
}
