package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/client/wal"
	"imwatch/event"
)

// Client is a session with the IM server that outlives its connections. Safe for concurrent use. Make one with [Dial];
// end it with [Client.Close], [Client.Logout] or the context given to Dial.
type Client struct {
	opts  Options
	queue *wal.Log
	inbox *inbox
	quit  context.CancelFunc
	done  chan struct{}
	wake  chan struct{} // holds one: the pump has to look again

	mu      sync.Mutex // guards the fields below
	link    *link      // nil: not connected
	last    *link      // the last there was
	sess    session
	over    bool // the server has ended the session before
	closing bool
	ended   bool
	rooms   map[string]*room
	out     *outbox
	idle    chan struct{} // closed when out is empty; nil: nobody waits for it
	asks    map[string]chan<- reply
	auth    string   // id of the last auth
	watched []string // users
	watchOn *link    // that the server was told by
	serial  int64    // of ids
	err     error    // why it ended
}

// session is what the server is asked to go on with.
type session struct {
	id, epoch string
	seq       int64 // of the last message that was handled
}

// Dial connects and returns when the server has said hello. The first try's failure is its error, a *HandshakeError
// where the server refused; with Options.Persist it returns at once and the client goes on trying. The context governs
// the whole life of the client: when it ends, the connection is closed as going away.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("client options: %w", err)
	}
	queue, err := o.openQueue()
	if err != nil {
		return nil, fmt.Errorf("client options: %w", err)
	}
	c := &Client{
		opts: o, queue: queue, inbox: newInbox(), done: make(chan struct{}), wake: make(chan struct{}, 1),
		rooms: map[string]*room{}, out: newOutbox(o.Pipeline), asks: map[string]chan<- reply{},
	}
	c.load()
	var first *link
	if !o.Persist {
		if first, err = c.connect(ctx, history{attempt: 1}); err != nil {
			return nil, errors.Join(err, queue.Close())
		}
		// Before Dial returns, so that the caller can send.
		c.up(first, 1)
	}
	ctx, c.quit = context.WithCancel(ctx)
	go c.live(ctx, first)
	return c, nil
}

// live runs the client's goroutines until its end.
func (c *Client) live(ctx context.Context, first *link) {
	defer close(c.done)
	defer c.quit()
	var others sync.WaitGroup
	pumping, stop := context.WithCancel(context.Background())
	others.Go(func() { c.pump(pumping) })
	others.Go(c.handle)
	err := c.run(ctx, first)
	stop()
	c.finish(err)
	c.inbox.close()
	others.Wait()
}

// run connects, reads until the end, waits, and again.
func (c *Client) run(ctx context.Context, l *link) error {
	b := backoff{base: c.opts.BackoffBase, limit: c.opts.BackoffCap, rand: c.opts.Rand}
	h := history{attempt: 1}
	for {
		var err error
		lost := false
		if l == nil {
			if l, err = c.connect(ctx, h); err == nil {
				c.up(l, h.attempt)
			}
		}
		if l != nil {
			end := c.serve(ctx, l)
			now := c.opts.Now()
			life := now.Sub(l.since)
			b.lost(now, life)
			h.reason, h.life = end.Reason, life
			if end.Fresh {
				c.forget()
			}
			l, err, lost = nil, end, true
		}
		wait, final := c.judge(ctx, err, &b)
		c.tell(State{Lost: lost, Attempt: h.attempt, Err: err, Wait: wait, Final: final})
		h.attempt = b.tries + 1
		if final || !sleep(ctx, wait) {
			return err
		}
	}
}

// judge decides whether and when to try again.
func (c *Client) judge(ctx context.Context, err error, b *backoff) (wait time.Duration, final bool) {
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	if closing || ctx.Err() != nil || c.opts.NoReconnect {
		return 0, true
	}
	var closed *CloseError
	var refused *HandshakeError
	var wish time.Duration
	switch {
	case errors.As(err, &closed):
		final, wish = !closed.Retry, closed.Wait
	case errors.As(err, &refused):
		final, wish = refused.final(), refused.RetryAfter
	}
	if final {
		return 0, true
	}
	return b.next(c.opts.Now(), min(wish, maxWish)), false
}

// forget lets the next connection begin a new session.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sess, c.over = session{}, true
}

// up makes the link the client's.
func (c *Client) up(l *link, attempt int) {
	c.mu.Lock()
	asked, over := c.sess.id != "" || c.over, c.over
	c.over = false
	c.link, c.last = l, l
	c.sess = session{l.hello.SessionID, l.hello.Epoch, l.hello.Seq}
	l.handled, l.acked = l.hello.Seq, l.hello.Seq
	c.roomsAgain(l.hello.Resumed)
	c.mu.Unlock()
	c.tell(State{Connected: true, Attempt: attempt, Hello: l.hello, TraceID: l.trace})
	if asked && !l.hello.Resumed && c.opts.Handler.Gap != nil {
		c.inbox.push(item{call: func() { c.opts.Handler.Gap(Gap{Reason: gapReason(l.hello.ResumeReason, over)}) }}, false)
	}
	c.look()
}

// gapReason says why there may be one.
func gapReason(said string, over bool) string {
	if over {
		return event.ResumeUnknownSession
	}
	return said
}

// serve reads until the connection ends, and says how it did.
func (c *Client) serve(ctx context.Context, l *link) *CloseError {
	stop := context.AfterFunc(ctx, func() { c.leave(l, event.CloseGoingAway) })
	err := c.receive(l)
	stop()
	if closeErr := l.ws.Close(); closeErr != nil && !errors.Is(err, closeErr) {
		c.opts.Log.WithError(closeErr).Debug("closing the connection")
	}
	c.mu.Lock()
	c.link = nil
	c.out.lost()
	asks := c.asks
	c.asks = map[string]chan<- reply{}
	c.mu.Unlock()
	end := classify(err)
	for _, ask := range asks {
		ask <- reply{err: fmt.Errorf("%w any more: %w", ErrNotConnected, end)}
	}
	return end
}

// look makes the pump look again.
func (c *Client) look() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// finish is the end of the client. What is queued in a file stays there.
func (c *Client) finish(err error) {
	c.mu.Lock()
	if c.closing {
		err = ErrClosed
	}
	c.err, c.ended = err, true
	left := c.out.byID
	c.out.byID = nil
	c.mu.Unlock()
	for _, o := range left {
		c.resolve(o, result{err: c.whyEnded()})
	}
	if err := c.queue.Close(); err != nil {
		c.opts.Log.WithError(err).Warn("closing the queue")
	}
}

// whyEnded is what whoever still wants something is told.
func (c *Client) whyEnded() error {
	if err := c.Err(); err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return ErrClosed
}

func (c *Client) tell(s State) {
	if s.Err != nil {
		c.opts.Log.WithError(s.Err).WithField("wait", s.Wait.String()).Debug("not connected")
	}
	if c.opts.Handler.State != nil {
		c.inbox.push(item{call: func() { c.opts.Handler.State(s) }}, false)
	}
}

// sleep waits, and says whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Done is closed when the client has ended for good and the last call of its handler has returned.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the client has ended: ErrClosed, *CloseError, *HandshakeError or a network error; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close acknowledges what was handled, says goodbye to the server and ends the client and its session. It returns when all
// is put away, a few seconds later at most. What is queued is not waited for, see [Client.Flush]. Further calls wait for
// the same end.
func (c *Client) Close() error { return c.end(event.CloseNormal) }

// Logout is [Client.Close] for a user who leaves: the server's log tells the two apart.
func (c *Client) Logout() error { return c.end(event.CloseLogout) }

func (c *Client) end(r event.CloseReason) error {
	c.mu.Lock()
	l, first := c.link, !c.closing
	c.closing = true
	c.mu.Unlock()
	switch {
	case !first:
	case l != nil:
		c.leave(l, r)
	default:
		c.quit()
	}
	<-c.done
	return nil
}
