package kafkabus

import (
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"imwatch/internal/bus"
)

// decode copies the records from the offset from on out of a fetch's answer.
func decode(rr kafka.RecordReader, at place, from int64) ([]bus.Message, error) {
	var out []bus.Message
	var mem slab
	batches := []protocol.RecordReader{rr}
	if s, ok := rr.(*protocol.RecordStream); ok {
		batches = s.Records
	}
	for _, batch := range batches {
		if _, ok := batch.(*protocol.ControlBatch); ok {
			continue // markers of transactions
		}
		for {
			r, err := batch.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return out, fmt.Errorf("reading a record: %w", err)
			}
			m := bus.Message{Topic: at.topic, Partition: at.partition, Offset: r.Offset, Time: r.Time}
			if m.Key, err = mem.take(r.Key); err == nil {
				m.Value, err = mem.take(r.Value)
			}
			if err != nil {
				return out, fmt.Errorf("reading the record at %d: %w", r.Offset, err)
			}
			if r.Offset >= from { // a batch may begin before what was asked for
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// slab hands out memory in pieces of larger blocks: two allocations a message are half of what consuming costs. The
// blocks are small, so that a message that is kept does not hold much more than itself.
type slab struct{ rest []byte }

const slabBytes = 64 << 10

func (s *slab) take(b protocol.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	n := b.Len()
	if n > len(s.rest) {
		s.rest = make([]byte, max(n, slabBytes))
	}
	out := s.rest[:n:n]
	s.rest = s.rest[n:]
	_, err := io.ReadFull(b, out)
	return out, errors.Join(err, b.Close())
}
