package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

// Partitions tells how many partitions a topic has; see bus.Sealer.
func (b *Bus) Partitions(ctx context.Context, topic string) (int, error) {
	return b.partitions(ctx, topic)
}

// Identify asks the brokers for a producer id; see bus.Sealer.
func (b *Bus) Identify(ctx context.Context) (bus.Identity, error) {
	var id bus.Identity
	err := b.retry(ctx, "asking for a producer id", func(ctx context.Context) error {
		res, err := b.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			return err
		}
		id = bus.Identity{ID: int64(res.Producer.ProducerID), Epoch: int16(res.Producer.ProducerEpoch)} //nolint:gosec // it is 16 bits on the wire
		return nil
	})
	return id, err
}

// Seal makes a record batch; see bus.Sealer.
func (b *Bus) Seal(dst []byte, ms []bus.Message, pick []int32) (out []byte, n int, err error) {
	return b.encoder.Append(dst, ms, pick)
}

// Unseal takes a record batch apart; see bus.Sealer.
func (b *Bus) Unseal(sealed []byte) ([]bus.Message, error) { return recordbatch.Messages(sealed) }

// ProduceSealed stamps and sends a record batch; see bus.Sealer.
func (b *Bus) ProduceSealed(ctx context.Context, topic string, partition int, as bus.Stamp, sealed []byte) error {
	h, err := recordbatch.Inspect(sealed)
	if err == nil {
		err = recordbatch.Stamp(sealed, as, time.Now())
	}
	doing := fmt.Sprintf("producing to partition %d of %q", partition, topic)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	l := b.lane(topic, partition)
	if err := b.take(ctx, l, doing); err != nil {
		return err
	}
	inFlight := false // as in send
	defer func() {
		if !inFlight {
			<-l.busy
		}
	}()
	start := time.Now()
	first := true
	err = b.retry(ctx, doing, func(ctx context.Context) (err error) {
		if !first {
			b.metrics.retries.Inc()
			if _, err := b.lookup(ctx, topic); err != nil {
				return err
			}
		}
		first = false
		inFlight, err = b.attemptSealed(ctx, l, sealed)
		return err
	})
	switch {
	case err == nil, errors.Is(err, kafka.DuplicateSequenceNumber):
		b.metrics.seconds.Observe(time.Since(start).Seconds())
		b.metrics.produced.WithLabelValues(topic).Add(float64(h.Count))
		return nil
	case errors.Is(err, kafka.OutOfOrderSequenceNumber), errors.Is(err, kafka.UnknownProducerId),
		errors.Is(err, kafka.InvalidProducerEpoch), errors.Is(err, kafka.InvalidProducerIDMapping):
		return fmt.Errorf("%s: %w (%v)", doing, bus.ErrSequence, err) //nolint:errorlint // kafka-go's code stays inside
	case tooLarge(err):
		return fmt.Errorf("%s: a batch of %d bytes: %w (%v)", doing, len(sealed), bus.ErrTooLarge, err) //nolint:errorlint // as above
	}
	return err
}

// attemptSealed sends a batch once; see once.
func (b *Bus) attemptSealed(ctx context.Context, l *lane, sealed []byte) (inFlight bool, err error) {
	raw := newRaw(sealed)
	return b.once(ctx, l, &raw.use, func() error {
		res, err := b.client.RawProduce(b.ctx, &kafka.RawProduceRequest{
			Topic: l.topic, Partition: l.partition, RequiredAcks: kafka.RequireAll, RawRecords: protocol.RawRecordSet{Reader: raw},
		})
		if err == nil {
			err = res.Error
		}
		return err
	})
}

// raw shows a batch to kafka-go's encoder, behind its size.
type raw struct {
	use
	size [4]byte
	rest []byte
}

func newRaw(batch []byte) *raw {
	r := &raw{use: newUse(), rest: batch}
	n := uint32(len(batch))
	r.size = [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	return r
}

// WriteTo writes the size and the batch.
func (r *raw) WriteTo(w io.Writer) (int64, error) {
	if !r.begin() {
		return 0, errAbandoned
	}
	defer r.end()
	n, err := w.Write(r.size[:])
	if err != nil {
		return int64(n), err
	}
	m, err := w.Write(r.rest)
	return int64(n + m), err
}

// Read is never called: kafka-go copies by WriteTo.
func (r *raw) Read([]byte) (int, error) { return 0, errors.New("a batch is written as a whole") }
