package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

// failing is a bus whose writer dies after so many more messages.
type failing struct {
	*membus.Bus
	left int
}

var errDied = errors.New("the writer has died")

func (f *failing) ProduceInto(ctx context.Context, topic string, ms ...bus.Message) error {
	n := min(f.left, len(ms))
	f.left -= n
	if err := f.Bus.ProduceInto(ctx, topic, ms[:n]...); err != nil {
		return err
	}
	if n < len(ms) {
		return errDied
	}
	return nil
}

// TestLoadGivesTheFurthestWholeState has owners come and go and die in the midst of writing, and some that only think
// they still own the shard write on.
func TestLoadGivesTheFurthestWholeState(t *testing.T) {
	t.Parallel()
	const topic = "states"
	rapid.Check(t, func(t *rapid.T) {
		b := membus.New()
		defer b.Close()
		ctx := context.Background()
		if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 2, Compact: true}); err != nil {
			t.Fatal(err)
		}
		type owner struct {
			log  *Changelog
			bus  *failing
			rank int64
		}
		var owners []*owner
		written := map[int64][]byte{} // whole, by rank
		best := int64(-1)
		join := func() {
			f := &failing{Bus: b, left: 1 << 30}
			o := &owner{log: NewChangelog(f, topic, 1, "shard-1"), bus: f}
			o.log.chunk = 16
			state, err := o.log.Load(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if best >= 0 && !bytes.Equal(state, written[best]) || best < 0 && state != nil {
				t.Fatalf("loaded %q, expected %q of rank %d", state, written[best], best)
			}
			o.rank = best
			owners = append(owners, o)
		}
		join()
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			o := owners[rapid.IntRange(max(0, len(owners)-2), len(owners)-1).Draw(t, "owner")]
			if rapid.IntRange(0, 4).Draw(t, "join") == 0 {
				join()
				continue
			}
			o.rank += rapid.Int64Range(1, 3).Draw(t, "rank")
			if o.bus.left = 1 << 30; rapid.IntRange(0, 2).Draw(t, "dies") == 0 {
				o.bus.left = rapid.IntRange(0, 5).Draw(t, "left")
			}
			state := bytes.Repeat(fmt.Appendf(nil, "%d of %p;", o.rank, o), rapid.IntRange(1, 4).Draw(t, "size"))
			err := o.log.Save(ctx, o.rank, state)
			if err == nil && o.rank >= best {
				best, written[o.rank] = o.rank, state
			}
			if err != nil && !errors.Is(err, errDied) {
				t.Fatal(err)
			}
		}
		join()
	})
}
