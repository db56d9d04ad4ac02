package kafkabus

import (
	"context"
	"net"
	"sync"
	"time"
)

// conns dials and keeps hold of every connection, so that closing severs them all: kafka-go's goroutines sit in
// reads of up to a request's timeout and can be freed in no other way.
type conns struct {
	dialer net.Dialer
	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

type conn struct {
	net.Conn
	owner *conns
}

func newConns(dialTimeout time.Duration) *conns {
	return &conns{dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}, open: map[*conn]struct{}{}}
}

// dial has the form that kafka-go's Transport and Dialer ask for.
func (c *conns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	held := &conn{Conn: nc, owner: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = nc.Close()
		return nil, net.ErrClosed
	}
	c.open[held] = struct{}{}
	return held, nil
}

// Close closes the connection and lets go of it.
func (c *conn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// close severs what is open and refuses what is dialled later.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for held := range c.open {
		_ = held.Conn.Close()
	}
	clear(c.open)
}
