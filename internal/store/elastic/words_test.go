package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/event/filter"
)

// TestWordsAreTheStandardAnalyzers cuts texts with filter.Tokenize and with the server, which must agree to the letter:
// else rules would find other events in the stream than in the store.
func TestWordsAreTheStandardAnalyzers(t *testing.T) {
	s := onCluster(t, DefaultConfig())
	t.Run("each character", func(t *testing.T) {
		var all strings.Builder
		for r := rune(1); r <= 0x323AF; r++ {
			if r >= 0xD800 && r < 0xE000 {
				continue
			}
			all.WriteString(" a" + string(r) + "a 1" + string(r) + "1")
			if all.Len() > 8000 || r == 0x323AF {
				sameWords(t, s, all.String())
				all.Reset()
			}
		}
	})
	for range rounds() {
		t.Run("drawn", func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				sameWords(t, s, strings.Join(rapid.SliceOfN(characters(), 1, 40).Draw(t, "text"), ""))
			})
		})
	}
	t.Run("long", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(250, 260).Draw(t, "n")
			long := strings.Repeat(rapid.SampledFrom([]string{"a", "é", "𐐷", "1", "漢", "ア"}).Draw(t, "of"), n)
			sameWords(t, s, long+strings.Join(rapid.SliceOfN(characters(), 0, 20).Draw(t, "text"), ""))
		})
	})
}

// characters draws one or two of the kinds that the rules tell apart.
func characters() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(strings.Split("a B é Ñ İ ß ſ Σ ς K 1 ٣ １ _ ‿ . : , ; ' \" ’ · - / @ # * א ב 漢 字 あ ア ー ｱ ก ข ก ္ က 한 글 😀 👩 🏽 🇨 🇳 ℹ Ⓜ 🅰 © ½ ² Ⅷ ª ٬ ．", " ")),
		rapid.SampledFrom([]string{" ", "\u0301", "\u0e31", "\u200d", "\u20e3", "\ufe0e", "\ufe0f", "\u00ad", "\u200b", "\u200c", "\u00a0", "\u3000", "\t", "\u0000", "\U000E0067", "\U00010437"}),
		rapid.Custom(func(t *rapid.T) string {
			r := rapid.Rune().Draw(t, "any")
			return strings.ToValidUTF8(string(r), "?")
		}),
	)
}

func sameWords(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, s *Store, text string,
) {
	t.Helper()
	body, err := json.Marshal(obj{"analyzer": "standard", "text": text})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var got struct{ Tokens []struct{ Token string } }
	ctx := t.(interface{ Context() context.Context }).Context()
	if err := s.client.do(ctx, esapi.IndicesAnalyzeRequest{Body: bytes.NewReader(body)}, &got); err != nil {
		t.Fatalf("%v", err)
	}
	var want []string
	for _, token := range got.Tokens {
		want = append(want, token.Token)
	}
	if words := filter.Tokenize(text); !slices.Equal(want, words) {
		t.Fatalf("%q\nthe words differ (-Elasticsearch +filter):\n%s", text, cmp.Diff(want, words))
	}
}
