package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"imwatch/event"
)

// allIndexed waits until as many documents are written as there are events. It asks the more seldom the more is left,
// since each answer costs Elasticsearch what is being measured.
func (b *bench) allIndexed(ctx context.Context) error {
	const soonest = 100 * time.Millisecond
	start := time.Now()
	for wait := soonest; ; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		var stats struct {
			All struct {
				Primaries struct {
					Indexing struct {
						Total int64 `json:"index_total"`
					} `json:"indexing"`
				} `json:"primaries"`
			} `json:"_all"`
		}
		wait = soonest
		if b.es.Call(ctx, http.MethodGet, "/im-connection-*/_stats/indexing", nil, &stats) != nil {
			continue
		}
		done := stats.All.Primaries.Indexing.Total
		if done >= b.events {
			return nil
		}
		left := time.Duration(float64(time.Since(start)) * float64(b.events-done) / float64(max(done, 1)))
		wait = min(max(wait, left/2), 2*time.Second)
	}
}

// exactly checks that every event is one document.
func (b *bench) exactly(ctx context.Context) error {
	if err := b.es.Call(ctx, http.MethodPost, "/im-connection-*/_refresh", nil, nil); err != nil {
		return err
	}
	var count struct{ Count int64 }
	if err := b.es.Call(ctx, http.MethodGet, "/im-connection-*/_count", nil, &count); err != nil {
		return err
	}
	if count.Count != b.events {
		return fmt.Errorf("%d documents for %d events", count.Count, b.events)
	}
	return nil
}

// plainBulk writes the same documents with ready-made bodies of 5,000 of them into indices of the same names and
// templates: what Elasticsearch takes when nothing else is to be done. atOnce is how many requests are under way, each
// loop of them one after another.
func (b *bench) plainBulk(ctx context.Context, atOnce int) (figures, error) {
	if err := b.es.Drop(ctx); err != nil {
		return figures{}, err
	}
	f, err := os.Open(b.lines)
	if err != nil {
		return figures{}, err
	}
	defer f.Close()
	bodies, err := readBodies(f, time.Now())
	if err != nil {
		return figures{}, err
	}
	serverBefore, err := b.es.CPU(ctx)
	if err != nil {
		return figures{}, err
	}
	before, start := ownCPU(), time.Now()
	var loops sync.WaitGroup
	errs := make([]error, atOnce)
	for i := range atOnce {
		loops.Go(func() {
			for at := i; at < len(bodies) && errs[i] == nil; at += atOnce {
				errs[i] = b.bulk(ctx, bodies[at])
			}
		})
	}
	loops.Wait()
	if err := errors.Join(errs...); err != nil {
		return figures{}, err
	}
	out := figures{name: fmt.Sprintf("plain _bulk, %d at once", atOnce), wall: time.Since(start), cpu: ownCPU() - before}
	after, err := b.es.CPU(ctx)
	if err != nil {
		return figures{}, err
	}
	out.server = after - serverBefore
	return out, b.exactly(ctx)
}

func (b *bench) bulk(ctx context.Context, body []byte) error {
	var answer struct{ Errors bool }
	if err := b.es.Call(ctx, http.MethodPost, "/_bulk?filter_path=errors", body, &answer); err != nil {
		return err
	}
	if answer.Errors {
		return fmt.Errorf("documents were refused")
	}
	return nil
}

// readBodies makes requests of the documents that the indexer makes of the same lines.
func readBodies(r io.Reader, now time.Time) ([][]byte, error) {
	const perBody = 5000
	var bodies [][]byte
	var body []byte
	var e event.Event
	n := 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, event.MaxLine)
	for lines.Scan() {
		if err := event.Decode(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		body = fmt.Appendf(body, "{\"create\":{\"_index\":%q,\"_id\":%q}}\n", e.Index(), e.ID())
		body = append(appendIngested(body, lines.Bytes(), now), '\n')
		if n++; n%perBody == 0 {
			bodies, body = append(bodies, body), nil
		}
	}
	if len(body) > 0 {
		bodies = append(bodies, body)
	}
	return bodies, lines.Err()
}

// appendIngested appends a line with its time of indexing, as every document has it.
func appendIngested(dst, line []byte, now time.Time) []byte {
	dst = append(dst, line[:len(line)-1]...)
	dst = append(dst, `,"event.ingested":"`...)
	return append(event.AppendTime(dst, now), `"}`...)
}

// ownCPU is the processor time of this process so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
