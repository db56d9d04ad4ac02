package backtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"imwatch/event"
)

// File runs rules over JSON lines as the event contract describes them. The order of the lines is the order of
// arrival; lines of im.pipeline are watermarks. name is what messages call the source. The summary is given for a run
// that failed, too.
func File(ctx context.Context, src io.Reader, name string, o Options) (*Summary, error) {
	if o.Query {
		return fileQuery(ctx, src, name, o)
	}
	began := time.Now()
	r, err := newRun(o, name)
	if err != nil {
		return newSummary(name), err
	}
	err = readLines(ctx, src, r.summary, r)
	if err == nil {
		err = r.finish()
	}
	r.summary.Took = time.Since(began)
	return r.summary, err
}

// eachLine hands the events of a source over, a batch at a time; they are only lent.
func eachLine(ctx context.Context, src io.Reader, s *Summary, f func([]event.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	free := make(chan *batch, 2+2*runtime.GOMAXPROCS(0))
	for range cap(free) {
		free <- &batch{events: make([]event.Event, batchSize), decoded: make(chan struct{}, 1)}
	}
	full := decode(ctx, src, free)
	defer func() {
		cancel()
		for range full { // waits for the goroutines to end
		}
	}()
	names := map[uint64]int{}
	for b := range full {
		<-b.decoded
		if ctx.Err() != nil {
			break
		}
		b.name(names)
		for _, bad := range b.bad {
			s.bad(bad.Place, bad.Err)
		}
		if err := f(b.events[:b.n]); err != nil {
			return err
		}
		switch {
		case errors.Is(b.err, io.EOF):
			return nil
		case b.err != nil:
			return fmt.Errorf("reading events: %w", b.err)
		}
		free <- b
	}
	return fmt.Errorf("reading events: %w", ctx.Err())
}
