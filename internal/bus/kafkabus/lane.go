package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

// lane is the way into one partition. One batch is under way on it at a time, so that batches arrive in the order in
// which their calls took the lane.
type lane struct {
	place
	busy chan struct{} // holds one token while a call has the lane
}

func (b *Bus) lane(topic string, partition int) *lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := place{topic, partition}
	l := b.lanes[at]
	if l == nil {
		l = &lane{place: at, busy: make(chan struct{}, 1)}
		b.lanes[at] = l
	}
	return l
}

// recordOverhead is more than what a record adds to its key and value, and batchOverhead to its records.
const (
	recordOverhead = 32
	batchOverhead  = 128
)

// take waits for the lane. The caller gives it back by taking the token out.
func (b *Bus) take(ctx context.Context, l *lane, doing string) error {
	select {
	case l.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case <-b.ctx.Done():
		return fmt.Errorf("%s: %w", doing, bus.ErrClosed)
	}
}

// send writes the picked messages into the lane's partition, in batches, and returns when all are acknowledged.
func (b *Bus) send(ctx context.Context, l *lane, ms []bus.Message, pick []int32) error {
	doing := fmt.Sprintf("producing to partition %d of %q", l.partition, l.topic)
	if err := b.take(ctx, l, doing); err != nil {
		return err
	}
	inFlight := false // a request that its caller no longer waits for keeps the lane until it is over
	defer func() {
		if !inFlight {
			<-l.busy
		}
	}()
	limit := b.cfg.MaxMessageBytes
	for len(pick) > 0 {
		sealed, n, err := b.encoder.Append(nil, ms, pick[:cut(ms, pick, limit)])
		if err == nil {
			err = recordbatch.Stamp(sealed, bus.Stamp{Identity: bus.Identity{ID: -1, Epoch: -1}, Sequence: -1}, time.Now())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		start := time.Now()
		first := true
		err = b.retry(ctx, doing, func(ctx context.Context) (err error) {
			if !first {
				b.metrics.retries.Inc()
				if _, err := b.lookup(ctx, l.topic); err != nil { // says why there is no broker, where producing does not
					return err
				}
			}
			first = false
			inFlight, err = b.attemptSealed(ctx, l, sealed)
			return err
		})
		switch {
		case err == nil:
			b.metrics.seconds.Observe(time.Since(start).Seconds())
			b.metrics.produced.WithLabelValues(l.topic).Add(float64(n))
			pick = pick[n:]
		case tooLarge(err) && n > 1:
			limit = max(1, size(ms, pick[:n])/2) // the topic allows less than we were told
		case tooLarge(err):
			m := ms[pick[0]]
			return fmt.Errorf("%s: %w (%v)", doing, &bus.TooLargeError{Index: int(pick[0]), Bytes: len(m.Key) + len(m.Value)}, err) //nolint:errorlint // kafka-go's code stays inside
		default:
			return err
		}
	}
	return nil
}

// once makes one request, which must not end with the caller's context: what was sent may arrive, and what comes next
// must not overtake it. If ctx ends first it returns at once, when nobody looks at the caller's memory any more, with
// inFlight true: the lane is given back when the request is over.
func (b *Bus) once(ctx context.Context, l *lane, memory *use, request func() error) (inFlight bool, err error) {
	var answer error // the goroutine's until over
	over := make(chan struct{})
	go func() {
		defer close(over)
		answer = request()
	}()
	select {
	case <-over:
		memory.abandon() // a request that timed out may still be encoded
		return false, answer
	case <-ctx.Done():
		memory.abandon()
		go func() {
			<-over
			<-l.busy
		}()
		return true, ctx.Err()
	}
}

// cut returns how many of the picked messages, one at least, make a batch of at most limit bytes.
func cut(ms []bus.Message, pick []int32, limit int) int {
	total := batchOverhead
	for i, p := range pick {
		total += len(ms[p].Key) + len(ms[p].Value) + recordOverhead
		if total > limit && i > 0 {
			return i
		}
	}
	return len(pick)
}

func size(ms []bus.Message, pick []int32) int {
	total := batchOverhead
	for _, p := range pick {
		total += len(ms[p].Key) + len(ms[p].Value) + recordOverhead
	}
	return total
}

func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}
