package shipper

import (
	"context"
	"fmt"

	"imwatch/internal/bus"
)

// narrow is a broker with a low limit on the size of messages.
type narrow struct {
	Bus
	limit int
}

func (n *narrow) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	for i, m := range ms {
		if size := len(m.Key) + len(m.Value); size > n.limit {
			return &bus.TooLargeError{Index: i, Bytes: size}
		}
	}
	return n.Bus.Produce(ctx, topic, ms...)
}

// ProduceSealed has a limit for the batch, as brokers have.
func (n *narrow) ProduceSealed(ctx context.Context, topic string, partition int, as bus.Stamp, sealed []byte) error {
	if len(sealed) > n.limit {
		return fmt.Errorf("%d bytes: %w", len(sealed), bus.ErrTooLarge)
	}
	return n.Bus.ProduceSealed(ctx, topic, partition, as, sealed)
}

// away is a broker that does not answer.
type away struct{ Bus }

func (a *away) Produce(context.Context, string, ...bus.Message) error { return errFlaky }

func (a *away) Broadcast(context.Context, string, bus.Message) error { return errFlaky }

func (a *away) Partitions(context.Context, string) (int, error) { return 0, errFlaky }

func (a *away) Identify(context.Context) (bus.Identity, error) { return bus.Identity{}, errFlaky }

func (a *away) ProduceSealed(context.Context, string, int, bus.Stamp, []byte) error { return errFlaky }
