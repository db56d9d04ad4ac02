package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"imwatch/im-server/cluster"
)

const (
	batchMessages = 512
	batchBytes    = 1 << 20
	laneQueue     = 4096
	retryAfter    = 20 * time.Millisecond // times the failures so far
)

// lane is the one way of this node's messages into Redis, or into the journal, so that their order is kept through loss
// and return. What comes while a batch is under way is the next one.
type lane struct {
	c      *Cluster
	in     chan *publishing
	wakeUp chan struct{}
	pool   sync.Pool
}

// publishing is a message under way.
type publishing struct {
	msg      cluster.Message
	head, id string
	tried    bool
	result   chan published // holds one
}

type published struct {
	receipt cluster.Receipt
	err     error
}

func newLane(c *Cluster) *lane {
	l := &lane{c: c, in: make(chan *publishing, laneQueue), wakeUp: make(chan struct{}, 1)}
	l.pool.New = func() any { return &publishing{result: make(chan published, 1)} }
	return l
}

// Publish implements cluster.Log. When Redis is lost the message goes into the journal and is handed out on this node at
// once; its receipt has no offset. Without a journal, or when that is full, it fails.
func (c *Cluster) Publish(ctx context.Context, m cluster.Message) (cluster.Receipt, error) {
	if err := c.await(ctx, c.looked); err != nil {
		return cluster.Receipt{}, fmt.Errorf("publishing: %w", err)
	}
	p := c.lane.pool.Get().(*publishing)
	p.msg, p.head, p.id, p.tried = m, head(&m), identity(&m), false
	var err error
	select {
	case c.lane.in <- p:
		select {
		case r := <-p.result:
			c.lane.pool.Put(p)
			if r.err != nil {
				return r.receipt, fmt.Errorf("publishing: %w", r.err)
			}
			return r.receipt, nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-c.done:
			err = cluster.ErrClosed
		}
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.done:
		err = cluster.ErrClosed
	}
	return cluster.Receipt{}, fmt.Errorf("publishing: %w", err)
}

func (p *publishing) answer(r cluster.Receipt, err error) { p.result <- published{r, err} }

func (l *lane) wake() {
	select {
	case l.wakeUp <- struct{}{}:
	default:
	}
}

func (l *lane) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wakeUp:
		case p := <-l.in:
			l.publish(ctx, l.gather(p))
		}
		for l.replaying() && ctx.Err() == nil {
			l.replay(ctx)
			select {
			case p := <-l.in:
				l.publish(ctx, l.gather(p))
			default:
			}
		}
	}
}

// gather takes what waits.
func (l *lane) gather(first *publishing) []*publishing {
	batch := append(make([]*publishing, 0, 16), first)
	size := len(first.msg.Body)
	for len(batch) < batchMessages && size < batchBytes {
		select {
		case p := <-l.in:
			batch = append(batch, p)
			size += len(p.msg.Body)
		default:
			return batch
		}
	}
	return batch
}

// publish puts a batch into Redis, and what that does not take into the journal.
func (l *lane) publish(ctx context.Context, batch []*publishing) {
	l.c.metrics.batch.Observe(float64(len(batch)))
	for n := 1; len(batch) > 0 && l.c.breaker.up(); n++ {
		var err error
		if batch, err = l.send(ctx, batch); err == nil {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		l.c.breaker.failed(err)
		if l.c.breaker.up() && !pause(ctx, time.Duration(n)*retryAfter) {
			break
		}
	}
	if len(batch) > 0 {
		l.keep(batch)
	}
}

// send makes one try, answers those that Redis took or refused, and gives the others, in order, with the reason.
func (l *lane) send(ctx context.Context, batch []*publishing) (rest []*publishing, err error) {
	began := time.Now()
	results := l.c.pipePublish(ctx, batch)
	missing := false
	for i, p := range batch {
		switch r := results[i]; {
		case r.err == nil:
			// What was tried before may stand there by that very try.
			r.receipt.Duplicate = r.receipt.Duplicate && !p.tried
			p.answer(r.receipt, nil)
		case missingScript(r.err):
			missing = true
			rest = append(rest, p)
		case unavailable(r.err):
			p.tried, err = true, r.err
			rest = append(rest, p)
		default:
			p.answer(cluster.Receipt{}, r.err)
		}
	}
	l.c.metrics.took("publish", time.Since(began), err)
	if err == nil && missing {
		err = l.c.scripts.load(ctx, l.c.client)
	} else if err == nil {
		l.c.breaker.succeeded()
	}
	return rest, err
}

// pipePublish asks Redis to take messages, all in one go.
func (c *Cluster) pipePublish(ctx context.Context, batch []*publishing) []published {
	keep := c.opts.Keep
	pipe := c.client.Pipeline()
	cmds := make([]interface{ Slice() ([]any, error) }, len(batch))
	for i, p := range batch {
		t := p.msg.Topic
		cmds[i] = pipe.EvalSha(ctx, c.scripts.publish.Hash(), []string{c.keys.meta(t), c.keys.stream(t), c.keys.known(t)},
			p.head, p.id, p.msg.Body, c.keys.topicFeed(t), newEpoch(),
			keep.Messages, keep.Age.Milliseconds(), keep.Dedupe.Milliseconds(), keep.Positions.Milliseconds())
	}
	_, errPipe := pipe.Exec(ctx)
	out := make([]published, len(batch))
	for i, cmd := range cmds {
		values, err := cmd.Slice()
		if err == nil && values == nil {
			err = errPipe
		}
		out[i] = receipt(values, err)
	}
	return out
}

func receipt(values []any, err error) published {
	if err != nil {
		return published{err: err}
	}
	if len(values) == 3 {
		epoch, ok1 := values[0].(string)
		offset, ok2 := values[1].(int64)
		known, ok3 := values[2].(int64)
		if ok1 && ok2 && ok3 {
			return published{receipt: cluster.Receipt{Epoch: epoch, Offset: offset, Duplicate: known == 1}}
		}
	}
	return published{err: fmt.Errorf("the script answered %v: %w", values, errWire)}
}

// pause waits; it says false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
