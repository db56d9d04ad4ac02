package shipper

import (
	"context"

	"imwatch/internal/bus"
)

// narrow is a broker with a low limit on the size of messages.
type narrow struct {
	bus.Producer
	limit int
}

func (n *narrow) Produce(ctx context.Context, topic string, ms ...bus.Message) error {
	for i, m := range ms {
		if size := len(m.Key) + len(m.Value); size > n.limit {
			return &bus.TooLargeError{Index: i, Bytes: size}
		}
	}
	return n.Producer.Produce(ctx, topic, ms...)
}

// away is a broker that does not answer.
type away struct{ bus.Producer }

func (a *away) Produce(context.Context, string, ...bus.Message) error { return errFlaky }

func (a *away) Broadcast(context.Context, string, bus.Message) error { return errFlaky }
