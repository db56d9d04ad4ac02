package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
)

// TestRepeatsAfterAKill goes on from what was on the disk at some moments, as after a kill there, and sends again what
// was sent last: nothing is written twice, whatever was remembered from an orderly stop before.
func TestRepeatsAfterAKill(t *testing.T) {
	dir := t.TempDir()
	const each = 10
	var id bus.Identity
	sealed := func(b bus.Bus, i int) []byte {
		ms := make([]bus.Message, each)
		for j := range ms {
			ms[j] = bus.Message{Key: []byte("k"), Value: fmt.Append(nil, i*each+j)}
		}
		out, _, err := b.Seal(nil, ms, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	send := func(b bus.Bus, i int) error {
		return b.ProduceSealed(t.Context(), topic, 0, bus.Stamp{Identity: id, Sequence: int32(i * each)}, sealed(b, i))
	}
	next := 0
	for life := range 4 {
		b := open(t, func(c *embedded.Config) { c.Dir = dir })
		if life == 0 {
			if err := b.EnsureTopics(t.Context(), bus.TopicSpec{Name: topic, Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			var err error
			if id, err = b.Identify(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for i := max(0, next-5); i < next; i++ {
			if err := send(b, i); err != nil {
				t.Errorf("life %d: batch %d again: %v", life, i, err)
			}
		}
		if next > 5 {
			if err := send(b, next-6); !errors.Is(err, bus.ErrSequence) {
				t.Errorf("life %d: what is too old to be recognised: %v", life, err)
			}
		}
		for range 7 {
			if err := send(b, next); err != nil {
				t.Fatal(err)
			}
			next++
		}
		dead := t.TempDir()
		if err := os.CopyFS(dead, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if life%2 == 0 { // killed; else it was stopped in order
			dir = dead
		}
	}
	b := open(t, func(c *embedded.Config) { c.Dir = dir })
	var want []string
	for i := range next * each {
		want = append(want, fmt.Sprint(i))
	}
	ends, err := b.Ends(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if got := values(t, b, int(ends[0])); !slices.Equal(got, want) {
		t.Errorf("%d messages are there, want %d", len(got), len(want))
	}
}
