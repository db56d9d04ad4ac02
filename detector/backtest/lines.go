package backtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"imwatch/event"
)

// batchSize is how many lines are decoded before they are handed over: enough to make the handing over cheap, and few
// enough to stay in the cache.
const batchSize = 256

// batch is a run of lines, decoded.
type batch struct {
	events []event.Event
	n      int
	bad    []BadLine // with the number of events before each
	err    error     // of reading: the last batch
}

// decode reads JSON lines in a goroutine of its own, so that decoding and evaluating take a core each. The channel is
// closed after the last batch; when ctx ends, reading ends too. Batches go back through free.
func decode(ctx context.Context, src io.Reader, free <-chan *batch) <-chan *batch {
	full := make(chan *batch)
	go func() {
		defer close(full)
		l := lineReader{r: bufio.NewReaderSize(src, 1<<20), ids: map[uint64]int{}}
		for {
			var b *batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			b.n, b.bad, b.err = 0, b.bad[:0], nil
			for b.n < len(b.events) && b.err == nil {
				l.next(b)
			}
			select {
			case full <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	return full
}

type lineReader struct {
	r      *bufio.Reader
	number int
	long   []byte
	ids    map[uint64]int // how often a line without event.id came, by its hash
}

// next reads one line into b: an event, a bad line, nothing for an empty one, or the end.
func (l *lineReader) next(b *batch) {
	line, err := l.line()
	if len(line) == 0 && err != nil {
		b.err = err
		return
	}
	l.number++
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	ev := &b.events[b.n]
	if err := event.Decode(line, ev); err != nil {
		b.bad = append(b.bad, BadLine{fmt.Sprintf("line %d", l.number), err})
		return
	}
	if ev.ID() == "" && !ev.IsWatermark() {
		h := xxhash.Sum64(line)
		l.ids[h]++
		ev.SetText(event.FieldEventID, originID(h, l.ids[h]))
	}
	b.n++
}

// originID names a line that has no event.id: by what stands in it and how many like it came before, so that the same
// lines in another order are the same events.
func originID(hash uint64, nth int) string { return fmt.Sprintf("line-%016x-%06d", hash, nth) }

// line gives the next line, of any length: Decode says of one that is too long that it is.
func (l *lineReader) line() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	l.long = append(l.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.r.ReadSlice('\n')
		if len(l.long) <= event.MaxLine {
			l.long = append(l.long, line...)
		}
	}
	return l.long, err
}
