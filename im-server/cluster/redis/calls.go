package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"imwatch/im-server/cluster"
)

// callsAtOnce bounds the questions of other nodes that this one answers at a time.
const callsAtOnce = 64

// calls asks other nodes, and answers them, by pub/sub: a question is "id reply-channel\n" and the request, a reply is
// "id +\n" and the answer, or "id -\n" and the error.
type calls struct {
	c       *Cluster
	mu      sync.Mutex
	waiting map[string]chan reply
	slots   chan struct{}
	work    sync.WaitGroup
}

type reply struct {
	data []byte
	err  error
}

func newCalls(c *Cluster) *calls {
	return &calls{c: c, waiting: map[string]chan reply{}, slots: make(chan struct{}, callsAtOnce)}
}

// Call implements cluster.Nodes.
func (c *Cluster) Call(ctx context.Context, node string, request []byte) ([]byte, error) {
	if node == c.opts.Node {
		return c.receiver.Ask(request)
	}
	id := rand.Text()
	back := make(chan reply, 1)
	c.calls.mu.Lock()
	c.calls.waiting[id] = back
	c.calls.mu.Unlock()
	defer func() {
		c.calls.mu.Lock()
		delete(c.calls.waiting, id)
		c.calls.mu.Unlock()
	}()
	err := c.do(ctx, "calling a node", func(ctx context.Context) error {
		n, err := c.client.Publish(ctx, c.keys.calls(node), id+" "+c.keys.replies(c.member)+"\n"+string(request)).Result()
		if err == nil && n == 0 && !c.several {
			return cluster.ErrNoReply
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-back:
		return r.data, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("calling %s: %w", node, errors.Join(cluster.ErrNoReply, ctx.Err()))
	case <-c.done:
		return nil, fmt.Errorf("calling %s: %w", node, cluster.ErrClosed)
	}
}

// asked answers a question in a goroutine of its own. With too many at once it is dropped, and its asker's time runs out.
func (s *calls) asked(ctx context.Context, payload string) {
	line, request, ok := strings.Cut(payload, "\n")
	id, channel, ok2 := strings.Cut(line, " ")
	if !ok || !ok2 {
		s.c.metrics.garbled.Inc()
		return
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.c.metrics.dropped.Inc()
		return
	}
	s.work.Go(func() {
		defer func() { <-s.slots }()
		answer := id + " +\n"
		data, err := s.c.receiver.Ask([]byte(request))
		if err != nil {
			answer, data = id+" -\n", []byte(err.Error())
		}
		// Where Redis is lost meanwhile the asker knows it too.
		_ = s.c.do(ctx, "replying", func(ctx context.Context) error {
			return s.c.client.Publish(ctx, channel, answer+string(data)).Err()
		})
	})
}

func (s *calls) replied(payload string) {
	line, data, _ := strings.Cut(payload, "\n")
	id, sign, _ := strings.Cut(line, " ")
	s.mu.Lock()
	back := s.waiting[id]
	s.mu.Unlock()
	if back == nil {
		return // too late
	}
	r := reply{data: []byte(data)}
	if sign != "+" {
		r = reply{err: fmt.Errorf("the node answered: %s", data)}
	}
	select {
	case back <- r:
	default:
	}
}

func (s *calls) wait() { s.work.Wait() }
