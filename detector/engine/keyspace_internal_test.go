package engine

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestKeyspaceIsAMap holds the numbers of keys to a map, with many held and dropped.
func TestKeyspaceIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, model := newKeyspace(nil), map[string]uint32{}
		var held []string
		for step := range rapid.IntRange(1, 200).Draw(t, "steps") {
			key := fmt.Sprintf("%0*d", rapid.SampledFrom([]int{1, 20, 30_000}).Draw(t, "length"), rapid.IntRange(0, 99).Draw(t, "key"))
			if len(held) > 0 && rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				s.drop(model[held[i]])
				delete(model, held[i])
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
			}
			if _, there := model[key]; !there {
				model[key] = s.hold(key)
				held = append(held, key)
			}
			if step%32 != 0 {
				continue
			}
			for k, n := range model {
				if found, ok := s.find(k); !ok || found != n || s.texts.get(n) != k || s.known([]byte(k)) != k {
					t.Fatalf("a key of %d bytes has number %d, found %d %v", len(k), n, found, ok)
				}
			}
			if _, ok := s.find("none"); ok || s.index.used != len(model) {
				t.Fatalf("%d keys are known, %d are held", s.index.used, len(model))
			}
		}
	})
}
