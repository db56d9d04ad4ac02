package shipper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/internal/bus"
)

// place is one partition of one topic.
type place struct {
	topic     string
	partition int
}

// piece is one sealed batch of an entry.
type piece struct {
	place
	count  int
	sealed []byte // in the entry's memory
}

// An entry of the queue is pieces, each one the number of its topic, its partition, how many messages it has, its length
// and the sealed batch, and then, behind the mark, a change.

// topics are those that is sealed for, by their numbers in the queue.
func topics() []string { return []string{bus.TopicLifecycle, bus.TopicDeadLetter} }

const (
	lifecycleTopic = iota
	deadLetterTopic

	changeMark = 0xff
)

// pieceHead is the size of what stands in front of a sealed batch.
const pieceHead = 1 + 4 + 4 + 4

var errEntry = errors.New("no entry of the shipper's")

// decodeEntry takes an entry of the queue apart. The pieces lie in b.
func decodeEntry(b []byte) (c change, pieces []piece, err error) {
	pieces, rest, err := decodePieces(b)
	if err != nil {
		return c, nil, err
	}
	c, err = decodeChange(rest)
	return c, pieces, err
}

// decodePieces gives the pieces of an entry, and what its change is made of.
func decodePieces(b []byte) (pieces []piece, rest []byte, err error) {
	for len(b) > 0 && b[0] != changeMark {
		if len(b) < pieceHead || int(b[0]) >= len(topics()) {
			return nil, nil, fmt.Errorf("a batch's head: %w", errEntry)
		}
		p := piece{
			place: place{topics()[b[0]], int(binary.LittleEndian.Uint32(b[1:]))},
			count: int(binary.LittleEndian.Uint32(b[5:])),
		}
		size := uint64(binary.LittleEndian.Uint32(b[9:]))
		if b = b[pieceHead:]; size > uint64(len(b)) {
			return nil, nil, fmt.Errorf("a batch: %w", errEntry)
		}
		p.sealed, b = b[:size:size], b[size:]
		pieces = append(pieces, p)
	}
	if len(b) == 0 {
		return nil, nil, fmt.Errorf("its positions are missing: %w", errEntry)
	}
	return pieces, b[1:], nil
}

// sealer makes entries of batches. Owned by the sender's goroutine.
type sealer struct {
	bus        bus.Sealer
	now        func() time.Time
	partitions [2]int // of each topic

	picks   [][]int32 // by partition
	keyless int       // messages without a key so far: they go round the partitions
}

// entry appends to dst what the queue keeps of a batch. What no batch takes because of its size becomes letters.
func (s *sealer) entry(dst []byte, b *batch) ([]byte, error) {
	dst, large, err := s.seal(dst, lifecycleTopic, b.records)
	if err != nil {
		return dst, err
	}
	for i := range b.records {
		b.bytes += len(b.records[i].Value)
	}
	for _, e := range large {
		b.bytes -= len(b.records[e.Index].Value)
		b.letters = append(b.letters, tooLarge(b.records[e.Index], e, s.now()))
	}
	for i := range b.letters {
		if b.dead == nil {
			b.dead = map[string]int{}
		}
		b.dead[b.letters[i].Reason]++
	}
	if dst, err = s.letters(dst, b.letters); err != nil {
		return dst, err
	}
	c, err := b.encode()
	return append(append(dst, changeMark), c...), err
}

// letters appends dead letters, cut into as many as it takes.
func (s *sealer) letters(dst []byte, todo []deadletter.Letter) ([]byte, error) {
	for len(todo) > 0 {
		ms := make([]bus.Message, len(todo))
		for i := range todo {
			ms[i] = letterMessage(todo[i])
		}
		out, large, err := s.seal(dst, deadLetterTopic, ms)
		if err != nil {
			return out, err
		}
		dst = out
		var halves []deadletter.Letter
		for _, e := range large {
			if len(todo[e.Index].Original) < 2 {
				return dst, fmt.Errorf("a dead letter of %q: even a byte of the line with its place is too much: %w", todo[e.Index].File, e)
			}
			a, z := deadletter.Split(todo[e.Index])
			halves = append(halves, a, z)
		}
		todo = halves
	}
	return dst, nil
}

func letterMessage(l deadletter.Letter) bus.Message {
	return bus.Message{Key: []byte(l.ID), Value: l.AppendJSON(nil)}
}

// seal appends the messages as pieces, those of a partition in their order, and gives back those that are too large.
func (s *sealer) seal(dst []byte, topic int, ms []bus.Message) (out []byte, large []*bus.TooLargeError, err error) {
	s.spread(ms, s.partitions[topic])
	for p, pick := range s.picks {
		for len(pick) > 0 {
			head := len(dst)
			sealed, n, err := s.bus.Seal(append(dst, make([]byte, pieceHead)...), ms, pick)
			if e, ok := errors.AsType[*bus.TooLargeError](err); ok {
				large = append(large, e)
				pick = pick[1:]
				continue
			}
			if err != nil {
				return dst, nil, fmt.Errorf("sealing for %s: %w", topics()[topic], err)
			}
			dst, pick = sealed, pick[n:]
			dst[head] = byte(topic)
			binary.LittleEndian.PutUint32(dst[head+1:], uint32(p))
			binary.LittleEndian.PutUint32(dst[head+5:], uint32(n))
			binary.LittleEndian.PutUint32(dst[head+9:], uint32(len(dst)-head-pieceHead)) //nolint:gosec // a batch has 32 bits
		}
	}
	return dst, large, nil
}

// spread tells for each of n partitions which of ms go there, in their order.
func (s *sealer) spread(ms []bus.Message, n int) {
	for len(s.picks) < n {
		s.picks = append(s.picks, nil)
	}
	s.picks = s.picks[:n]
	for p := range s.picks {
		s.picks[p] = s.picks[p][:0]
	}
	for i := range ms {
		p := s.keyless % n
		if len(ms[i].Key) > 0 {
			p = bus.Partition(ms[i].Key, n)
		} else {
			s.keyless++
		}
		s.picks[p] = append(s.picks[p], int32(i))
	}
}

// tooLarge is the letter of a record that the broker will never take.
func tooLarge(m bus.Message, why error, now time.Time) deadletter.Letter {
	l := deadletter.Letter{At: now, Stage: "shipper", Reason: "broker_limit", Detail: why.Error(), Original: slices.Clone(m.Value)}
	var e event.Event
	if event.Decode(m.Value, &e) == nil {
		l.ID, l.File, l.Offset = e.ID(), e.Text(event.FieldLogFilePath), e.Int(event.FieldLogOffset)
	}
	return l
}
