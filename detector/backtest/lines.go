package backtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/cespare/xxhash/v2"

	"imwatch/event"
)

// batchSize is how many lines are decoded at a time: enough to make the handing over cheap, and few enough to stay in
// the cache.
const batchSize = 256

// batch is a run of lines, first as they were read, then decoded.
type batch struct {
	text    []byte
	ends    []int // of each line in text
	first   int   // number of the first line in the source
	err     error // of reading: the last batch
	decoded chan struct{}

	events []event.Event
	n      int
	bad    []BadLine
	noID   []unnamed
}

// unnamed is an event without an id, by its place among the events of its batch and the hash of its line.
type unnamed struct {
	at   int
	hash uint64
}

// decode reads JSON lines in one goroutine and decodes them in as many as there are cores, beside the one that
// evaluates. Batches come in order; wait for decoded before reading one, and send it back through free. The channel
// is closed after the last batch. When ctx ends, reading ends too.
func decode(ctx context.Context, src io.Reader, free <-chan *batch) <-chan *batch {
	ordered, work := make(chan *batch, cap(free)), make(chan *batch, cap(free))
	go func() {
		var workers sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			workers.Go(func() {
				for b := range work {
					b.decode()
				}
			})
		}
		l := lineReader{r: bufio.NewReaderSize(src, 1<<20)}
		for more := true; more; {
			select {
			case b := <-free:
				l.fill(b)
				more = b.err == nil
				ordered <- b // neither blocks: there are no more batches than have room
				work <- b
			case <-ctx.Done():
				more = false
			}
		}
		close(work)
		workers.Wait()
		close(ordered)
	}()
	return ordered
}

func (b *batch) decode() {
	defer func() { b.decoded <- struct{}{} }()
	from := 0
	for i, end := range b.ends {
		line := bytes.TrimSpace(b.text[from:end])
		from = end
		if len(line) == 0 {
			continue
		}
		ev := &b.events[b.n]
		if err := event.Decode(line, ev); err != nil {
			b.bad = append(b.bad, BadLine{fmt.Sprintf("line %d", b.first+i), err})
			continue
		}
		if ev.ID() == "" && !ev.IsWatermark() {
			b.noID = append(b.noID, unnamed{at: b.n, hash: xxhash.Sum64(line)})
		}
		b.n++
	}
}

// name gives the events without an id one: by what stands in the line and how many like it came before, so that the
// same lines in another order are the same events. seen counts them by their hash.
func (b *batch) name(seen map[uint64]int) {
	for _, u := range b.noID {
		seen[u.hash]++
		b.events[u.at].SetText(event.FieldEventID, fmt.Sprintf("line-%016x-%06d", u.hash, seen[u.hash]))
	}
}

type lineReader struct {
	r      *bufio.Reader
	number int
}

// fill reads the lines of a batch.
func (l *lineReader) fill(b *batch) {
	b.text, b.ends, b.first, b.err = b.text[:0], b.ends[:0], l.number+1, nil
	b.n, b.bad, b.noID = 0, b.bad[:0], b.noID[:0]
	for len(b.ends) < len(b.events) {
		before := len(b.text)
		if b.err = l.line(b); len(b.text) > before || b.err == nil {
			l.number++
			b.ends = append(b.ends, len(b.text))
		}
		if b.err != nil {
			return
		}
	}
}

// line adds the next line to a batch. Of one that is too long only so much is kept that decoding says that it is.
func (l *lineReader) line(b *batch) error {
	kept := 0
	for {
		part, err := l.r.ReadSlice('\n')
		if kept <= event.MaxLine {
			b.text = append(b.text, part...)
			kept += len(part)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
