package kafkabus

import (
	"io"

	"github.com/segmentio/kafka-go"

	"imwatch/internal/bus"
)

// records shows some of a call's messages to kafka-go's encoder without copying them. The encoder runs in a goroutine
// of the connection, possibly after the caller has given up.
type records struct {
	use
	ms         []bus.Message
	pick       []int32 // which of ms, in order
	at         int
	record     kafka.Record
	key, value field
}

func newRecords(ms []bus.Message, pick []int32) *records {
	return &records{use: newUse(), ms: ms, pick: pick}
}

// ReadRecord gives the next message. It is valid until the next call.
func (r *records) ReadRecord() (*kafka.Record, error) {
	if r.at == 0 && !r.begin() {
		return nil, errAbandoned
	}
	if r.at == len(r.pick) {
		r.end()
		return nil, io.EOF
	}
	m := &r.ms[r.pick[r.at]]
	r.at++
	r.record = kafka.Record{Value: &r.value}
	r.value.rest = m.Value
	if len(m.Key) > 0 {
		r.key.rest = m.Key
		r.record.Key = &r.key
	}
	return &r.record, nil
}

// field is one key or value in the form that the encoder reads.
type field struct{ rest []byte }

// Len is what remains to be read.
func (f *field) Len() int { return len(f.rest) }

// Read reads.
func (f *field) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// WriteTo spares io.Copy its buffer.
func (f *field) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(f.rest)
	f.rest = f.rest[n:]
	return int64(n), err
}

// Close does nothing: the memory is the caller's.
func (f *field) Close() error { return nil }
