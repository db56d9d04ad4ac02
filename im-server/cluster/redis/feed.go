package redis

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

const (
	subscribeAtOnce = 512
	feedBackoff     = 50 * time.Millisecond
	feedBackoffMax  = time.Second
)

// feed is the one connection that messages, presence, calls and replies come by.
type feed struct {
	c    *Cluster
	mu   sync.RWMutex
	subs map[string]*sub // by channel
	conn *goredis.PubSub // nil: the feed is broken
	sent map[string]int  // SUBSCRIBEs of this connection that are not confirmed yet
	ctx  context.Context // of run

	doubts  []*sub // of whom something may have been missed; to be cleared by recheck
	doubted chan struct{}
	whole   chan struct{} // closed when it is so the first time
	once    sync.Once
}

// sub is a channel that is listened to. Its fields are under the feed's lock.
type sub struct {
	kind    byte // t: a topic, p: a user's presence, c: calls, r: replies
	name    string
	ready   chan struct{} // closed when it is confirmed, or Redis is lost; nil: nobody waits
	live    bool          // confirmed
	breaks  int
	doubted bool // something may have been missed behind base
	listed  bool // in doubts
	base    seen
	seen    seen // of a topic; the feed's reader's alone
	online  bool // of a user, under its stripe: what the Receiver was told last
}

// seen is the last message of a topic that came by.
type seen struct {
	epoch  string
	offset int64
	print  uint64 // of the message's identity
}

func newFeed(c *Cluster) *feed {
	f := &feed{c: c, subs: map[string]*sub{}, doubted: make(chan struct{}, 1), whole: make(chan struct{})}
	for _, channel := range []string{c.keys.calls(c.opts.Node), c.keys.replies(c.member)} {
		kind, name := c.keys.channel(channel)
		f.subs[channel] = &sub{kind: kind, name: name}
	}
	return f
}

// Follow implements cluster.Log. While Redis is lost it returns at once: the messages of this node come, and Lost tells
// when the others' do.
func (c *Cluster) Follow(ctx context.Context, topic string) error {
	return c.feed.listen(ctx, c.keys.topicFeed(topic))
}

// Unfollow implements cluster.Log.
func (c *Cluster) Unfollow(topic string) { c.feed.leave(c.keys.topicFeed(topic)) }

func (f *feed) follows(topic string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.subs[f.c.keys.topicFeed(topic)] != nil
}

// listen returns when the channel is subscribed to. While Redis is lost it does not wait: what is missed is found later.
func (f *feed) listen(ctx context.Context, channel string) error {
	if err := f.c.await(ctx, f.c.looked); err != nil {
		return err
	}
	ready := f.want(channel)
	if ready == nil {
		return nil
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-f.c.done:
		return cluster.ErrClosed
	}
}

// want gives what to wait for; nil: nothing.
func (f *feed) want(channel string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.subs[channel]
	if s == nil {
		kind, name := f.c.keys.channel(channel)
		s = &sub{kind: kind, name: name}
		f.subs[channel] = s
		f.subscribe([]string{channel})
	}
	if s.live {
		return nil
	}
	if !f.c.breaker.up() {
		s.suspect()
		return nil
	}
	if s.ready == nil {
		s.ready = make(chan struct{})
	}
	return s.ready
}

// giveUp lets those go on who wait, since Redis is lost.
func (f *feed) giveUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.subs {
		if s.ready != nil {
			s.suspect()
			s.settle()
		}
	}
}

func (f *feed) leave(channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.subs[channel]
	if s == nil {
		return
	}
	delete(f.subs, channel)
	s.settle()
	if f.conn != nil {
		_ = f.conn.Unsubscribe(f.ctx, channel) // an error breaks the feed, which its reader sees
	}
}

// settle lets those go on who wait.
func (s *sub) settle() {
	if s.ready != nil {
		close(s.ready)
		s.ready = nil
	}
}

// subscribe is called with the lock held, so that what is asked for comes in the order of what is wanted.
func (f *feed) subscribe(channels []string) {
	if f.conn == nil {
		return
	}
	for _, ch := range channels {
		f.sent[ch]++
	}
	_ = f.conn.Subscribe(f.ctx, channels...) // an error breaks the feed, which its reader sees
}

// run keeps the feed until ctx ends.
func (f *feed) run(ctx context.Context) {
	backoff := feedBackoff
	for ctx.Err() == nil {
		began := time.Now()
		if f.connect(ctx) == nil {
			f.read(ctx, f.conn)
			f.disconnect()
			if ctx.Err() != nil {
				return
			}
			f.c.metrics.breaks.Inc()
		}
		if time.Since(began) > feedBackoffMax {
			backoff = feedBackoff
		}
		pause(ctx, backoff)
		backoff = min(2*backoff, feedBackoffMax)
	}
}

// connect begins anew. The connection is made before the lock is taken: nobody waits for a Redis that does not answer.
func (f *feed) connect(ctx context.Context) error {
	conn := f.c.client.Subscribe(ctx)
	if err := conn.Ping(ctx); err != nil {
		return errors.Join(err, conn.Close())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn, f.ctx, f.sent = conn, ctx, map[string]int{}
	for part := range slices.Chunk(slices.Collect(maps.Keys(f.subs)), subscribeAtOnce) {
		f.subscribe(part)
	}
	return nil
}

func (f *feed) disconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.conn.Close() // it is broken, or no longer wanted
	f.conn = nil
	for _, s := range f.subs {
		s.breaks++
		s.live = false
		s.suspect()
	}
}

// read hands out what comes until the connection breaks. One that is silent, to pings too, is broken.
func (f *feed) read(ctx context.Context, conn *goredis.PubSub) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	silent := false
	for ctx.Err() == nil {
		msg, err := conn.ReceiveTimeout(ctx, 2*f.c.cfg.Ping)
		if err != nil {
			var timeout net.Error
			if silent || !errors.As(err, &timeout) || !timeout.Timeout() || conn.Ping(ctx) != nil {
				return
			}
			silent = true
			continue
		}
		silent = false
		switch m := msg.(type) {
		case *goredis.Subscription:
			if m.Kind == "subscribe" {
				f.confirmed(m.Channel)
			}
		case *goredis.Message:
			f.take(m.Channel, m.Payload)
		}
	}
}

// confirmed notes that a channel is subscribed to, unless a later word about it is still under way.
func (f *feed) confirmed(channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent[channel]--
	s := f.subs[channel]
	if f.sent[channel] > 0 {
		return
	}
	delete(f.sent, channel)
	if s == nil || s.live {
		return
	}
	s.live = true
	if s.doubted {
		f.doubt(s)
	}
	if s.kind == 'c' {
		f.once.Do(func() { close(f.whole) })
	}
	s.settle()
}

func (f *feed) topics() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n := 0
	for _, s := range f.subs {
		if s.kind == 't' {
			n++
		}
	}
	return n
}
