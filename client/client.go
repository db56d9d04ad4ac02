package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
)

// Client is a connection to the IM server that comes back after a loss. Safe for concurrent use. Make one with [Dial];
// end it with [Client.Close], [Client.Logout] or the context given to Dial.
type Client struct {
	opts Options
	quit context.CancelFunc
	done chan struct{}

	mu      sync.Mutex // guards the fields below
	link    *link      // nil: not connected
	closing bool
	rooms   map[string]bool // entered, to be entered again
	serial  int64           // of ids
	err     error           // why it ended
}

// Dial connects and returns when the server has said hello. The first try's failure is its error, a *HandshakeError
// where the server refused; with Options.Persist it returns at once and the client goes on trying. The context governs
// the whole life of the client: when it ends, the connection is closed as going away.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("client options: %w", err)
	}
	c := &Client{opts: o, done: make(chan struct{}), rooms: map[string]bool{}}
	var first *link
	if !o.Persist {
		var err error
		if first, err = c.connect(ctx, history{attempt: 1}); err != nil {
			return nil, err
		}
		// Before Dial returns, so that the caller can send.
		c.up(first, 1)
	}
	ctx, c.quit = context.WithCancel(ctx)
	go c.run(ctx, first)
	return c, nil
}

// run is the life of the client: connect, read until the end, wait, again.
func (c *Client) run(ctx context.Context, l *link) {
	defer close(c.done)
	defer c.quit()
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
			life := c.opts.Now().Sub(l.since)
			b.lived(life)
			h.reason, h.life = end.Reason, life
			l, err, lost = nil, end, true
		}
		wait, final := c.judge(ctx, err, &b)
		c.tell(State{Lost: lost, Attempt: h.attempt, Err: err, Wait: wait, Final: final})
		h.attempt = b.failures + 1
		if final || !sleep(ctx, wait) {
			c.finish(err)
			return
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
	return b.next(min(wish, maxWish)), false
}

// up makes the link the client's and enters its rooms again.
func (c *Client) up(l *link, attempt int) {
	c.mu.Lock()
	c.link = l
	rooms := make([]string, 0, len(c.rooms))
	for r := range c.rooms {
		rooms = append(rooms, r)
	}
	c.mu.Unlock()
	for _, r := range rooms {
		if err := l.send(c.roomEnvelope(protocol.TypeSubscribe, r)); err != nil {
			c.opts.Log.WithError(err).Debug("entering a room again") // reading will say that the connection is lost
		}
	}
	c.tell(State{Connected: true, Attempt: attempt, Hello: l.hello, TraceID: l.trace})
}

// serve reads until the connection ends, and says how it did.
func (c *Client) serve(ctx context.Context, l *link) *CloseError {
	stop := context.AfterFunc(ctx, func() { leave(l, event.CloseGoingAway) })
	err := c.receive(l)
	stop()
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	if closeErr := l.ws.Close(); closeErr != nil && !errors.Is(err, closeErr) {
		c.opts.Log.WithError(closeErr).Debug("closing the connection")
	}
	return classify(err)
}

func (c *Client) receive(l *link) error {
	for {
		e, err := l.read()
		if err != nil {
			return err
		}
		if err := l.alive(); err != nil {
			return err
		}
		if err := c.dispatch(l, e); err != nil {
			return err
		}
	}
}

// leave says goodbye and gives the server a moment to answer; then reading ends by itself.
func leave(l *link, r event.CloseReason) {
	text := protocol.CloseText{Reason: r.Reason}
	frame := websocket.FormatCloseMessage(r.Code, string(text.Append(nil)))
	if err := l.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(goodbye)); err != nil {
		_ = l.ws.Close() // there is nobody to say goodbye to
		return
	}
	// Closing, not a read deadline: reading moves the deadline with each message.
	time.AfterFunc(goodbye, func() { _ = l.ws.Close() }) // as above
}

// goodbye is how long a server may take to answer a close frame.
const goodbye = 3 * time.Second

// finish is the end of the client.
func (c *Client) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		err = ErrClosed
	}
	c.err = err
}

func (c *Client) tell(s State) {
	if s.Err != nil {
		c.opts.Log.WithError(s.Err).WithField("wait", s.Wait.String()).Debug("not connected")
	}
	if c.opts.Handler.State != nil {
		c.opts.Handler.State(s)
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

// Done is closed when the client has ended for good.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the client has ended: ErrClosed, *CloseError, *HandshakeError or a network error; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close says goodbye to the server and ends the client. It returns when all is put away, a few seconds later at most.
// Further calls wait for the same end.
func (c *Client) Close() error { return c.end(event.CloseNormal) }

// Logout is [Client.Close] that also gives the session up.
func (c *Client) Logout() error { return c.end(event.CloseLogout) }

func (c *Client) end(r event.CloseReason) error {
	c.mu.Lock()
	l, first := c.link, !c.closing
	c.closing = true
	c.mu.Unlock()
	switch {
	case !first:
	case l != nil:
		leave(l, r)
	default:
		c.quit()
	}
	<-c.done
	return nil
}
