package accept

import (
	"context"
	"net"
)

type key struct{}

// Context lets the requests of a connection find it: the HTTP server's ConnContext.
func Context(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, key{}, nc)
}

// Served tells the connection of a request, by the request's context, that it has come to a handler.
func Served(ctx context.Context) {
	if c, ok := ctx.Value(key{}).(*Conn); ok {
		c.served.Store(true)
	}
}

// Stream gives what an upgraded connection is read from and written to without anything that is of no use any more. It
// gives other connections as they are.
func Stream(nc net.Conn) net.Conn {
	c, ok := nc.(*Conn)
	if !ok {
		return nc
	}
	if s, ok := c.Conn.(*socket); ok && len(s.rest) == 0 {
		return s.Conn
	}
	return c.Conn
}
