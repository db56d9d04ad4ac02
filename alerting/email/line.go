package email

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// line is the connection of one attempt. It is ours, not the mail library's, for two reasons: the library leaves a
// connection open when the server does not answer QUIT or refuses the greeting, and it heeds the context only while
// it connects.
type line struct {
	attempt  context.Context //nolint:containedctx // the library's dial function gets a context that ends with the dialling
	implicit bool
	tls      *tls.Config
	conn     net.Conn
	unwatch  func() bool
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if l.implicit {
		client := tls.Client(conn, l.tls)
		if err := client.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake's error says more
			return nil, err
		}
		conn = client
	}
	l.conn = conn
	l.unwatch = context.AfterFunc(l.attempt, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return conn, nil
}

func (l *line) close() {
	if l.conn != nil {
		l.unwatch()
		_ = l.conn.Close() // the mail is accepted or not by now
	}
}
