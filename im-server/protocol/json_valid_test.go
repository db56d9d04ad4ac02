package protocol

import (
	"encoding/json"
	"strings"
	"testing"
)

// jsonTexts are of all kinds, and broken in all ways.
func jsonTexts() []string {
	texts := []string{
		``, ` `, `{}`, `[]`, `{ }`, `[ ]`, `null`, `true`, `false`, `nul`, `tru`, `fals`, `nulL`, `0`, `-0`, `-`, `01`, `1.`, `.1`, `1.5`, `1e`, `1e5`, `1E+5`, `1e-`,
		`1e-5`, `-1.25e+10`, `+1`, `0x1`, `1 2`, `"`, `""`, `"a`, `"a"`, `"\"`, `"\\"`, `"\u12"`, `"\u12aF"`, `"\u12ag"`, `"\x"`, `"\/\b\f\n\r\t\""`, "\"\x1f\"", "\"\x7f\xff\"",
		`{"a"}`, `{"a":}`, `{"a":1}`, `{"a":1,}`, `{,}`, `{1:2}`, `{"a":1 "b":2}`, `{"a":1,"b":[1,2,{"c":null}]}`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `{"a":1]`, `{"a":[}`, `[[[[]]]]`, `[[[[]]]`, `]`, `}`,
		" \t\r\n{ \"a\" : [ 1 , \"b\" ] } \n", `{"a":1}{}`, `{"a":1} x`, "\ufeff{}", `"abcdefgh"`, `"abcdefg\"h"`, `"` + strings.Repeat("x", 100) + `\n` + strings.Repeat("é", 9) + `"`,
	}
	for _, n := range []int{63, 64, 65, mostOpen, mostOpen + 1} {
		texts = append(texts, strings.Repeat("[", n)+strings.Repeat("]", n), strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n))
	}
	return texts
}

func TestValidJSON(t *testing.T) {
	t.Parallel()
	for _, text := range jsonTexts() {
		if got, want := validJSON([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%.60q: %v, want %v", text, got, want)
		}
	}
}

// TestPlain moves what ends a plain part through all places of a word.
func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []byte{'"', '\\', 0, 0x1f, '\n'} {
		for n := range 30 {
			b := append([]byte(strings.Repeat("\x80 !#[]\xff~", 4)[:n]), c)
			b = append(b, "\"\\\x00 behind it"...)
			if got := plain(b, 0); got != n {
				t.Errorf("%q: %d, want %d", b, got, n)
			}
		}
	}
}

func FuzzValidJSON(f *testing.F) {
	for _, text := range jsonTexts()[:60] {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := validJSON(b), json.Valid(b); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	})
}

// BenchmarkDecode reads what a client publishes.
func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"v":1,"type":"publish","id":"k3x9","payload":{"to":"u-1","body":{"t":1000000000000000000,"n":1000000000000000000,"p":"` + strings.Repeat("x", 75) + `"}}}`)
	codec := JSON()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := codec.Decode(text, FromClient); err != nil {
			b.Fatal(err)
		}
	}
}
