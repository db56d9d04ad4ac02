package accept

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection on its way to its first request. After an upgrade [Stream] gives what is below it.
type Conn struct {
	net.Conn // what HTTP is read from: the socket, or TLS
	l        *Listener
	began    time.Time
	peer     netip.AddrPort // of the socket
	below    *socket        // nil where HTTP comes first
	proxied  bool

	header    sync.Once
	handshake sync.Once
	first     error // of PROXY header or TLS handshake
	kind      Kind  // of first

	active atomic.Bool // a request has begun
	served atomic.Bool // and a handler has it
	got    atomic.Bool // anything came
	late   atomic.Bool // a read took too long
	status atomic.Int32
}

func newConn(l *Listener, raw net.Conn, peer netip.AddrPort) *Conn {
	c := &Conn{Conn: raw, l: l, began: l.o.Now(), peer: peer}
	c.proxied = l.o.Proxied != nil && l.o.Proxied(peer.Addr())
	if c.proxied || l.o.TLS != nil {
		c.below = &socket{Conn: raw}
		c.Conn = c.below
	}
	if l.o.TLS != nil {
		c.Conn = tls.Server(c.below, l.o.TLS())
	}
	return c
}

// RemoteAddr gives the client's address. Where there is a PROXY header it waits for it, which the HTTP server does in the
// connection's own goroutine.
func (c *Conn) RemoteAddr() net.Addr {
	c.header.Do(c.readHeader)
	if c.below != nil && c.below.source != nil {
		return c.below.source
	}
	return c.Conn.RemoteAddr()
}

func (c *Conn) readHeader() {
	if !c.proxied {
		return
	}
	if c.first = c.below.readHeader(c.l.o.Timeout); c.first != nil {
		c.kind = BadProxy
	}
}

// Read reads for the HTTP server.
func (c *Conn) Read(p []byte) (int, error) {
	c.header.Do(c.readHeader)
	c.handshake.Do(c.shakeHands)
	if c.first != nil {
		return 0, io.EOF // what speaks no HTTP gets no answer in it
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.got.Store(true)
	}
	// While a handler has the request, this is net/http, which stops its watch for what comes next.
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.served.Load() {
		c.late.Store(true)
	}
	return n, err //nolint:wrapcheck // net/http looks at it
}

// shakeHands makes TLS, within the read deadline that the HTTP server has set.
func (c *Conn) shakeHands() {
	t, ok := c.Conn.(*tls.Conn)
	if !ok || c.first != nil {
		return
	}
	_ = t.SetWriteDeadline(time.Now().Add(c.l.o.Timeout)) // its error is that of a closed socket, which the handshake sees
	if err := t.HandshakeContext(context.Background()); err != nil {
		c.first, c.kind = fmt.Errorf("shaking hands: %w", err), BadTLS
		return
	}
	_ = t.SetWriteDeadline(time.Time{})
}

// Write writes for the HTTP server, and takes note of what it answers by itself.
func (c *Conn) Write(p []byte) (int, error) {
	if c.late.Load() && !c.served.Load() {
		return len(p), nil // it finds fault with half a request; Close says what is wrong
	}
	n, err := c.Conn.Write(p)
	if err == nil && !c.served.Load() {
		c.status.Store(statusOf(p))
	}
	return n, err //nolint:wrapcheck // net/http looks at it
}

// statusOf reads the status of an HTTP/1 answer; 0 if it is none.
func statusOf(p []byte) int32 {
	line, ok := bytes.CutPrefix(p, []byte("HTTP/1."))
	if !ok || len(line) < len("1 400") {
		return 0
	}
	n, err := strconv.ParseUint(string(line[2:5]), 10, 16)
	if err != nil {
		return 0
	}
	return int32(n) //nolint:gosec // three digits
}

// tooSlow is the answer to a request that does not come: net/http gives none.
const tooSlow = "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n408 Request Timeout"

// Close closes the connection, and answers before if the request was late.
func (c *Conn) Close() error {
	if c.late.Load() && !c.served.Load() && c.status.Load() == 0 && c.first == nil {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // its error is that of a closed socket
		if _, err := c.Conn.Write([]byte(tooSlow)); err == nil {
			c.status.Store(408)
		}
	}
	return c.Conn.Close() //nolint:wrapcheck // net/http passes it over
}

// tell says why the connection ended, if no request of it was served and the client wanted anything.
func (c *Conn) tell() {
	r := Refusal{Peer: c.client(), Local: c.LocalAddr(), Status: int(c.status.Load()), After: c.l.o.Now().Sub(c.began)}
	switch {
	case c.first != nil:
		r.Kind, r.Err = c.kind, c.first
		switch late := errors.Is(c.first, os.ErrDeadlineExceeded); {
		case !late && !c.below.got:
			return // somebody looked whether a server is here
		case late:
			r.Kind = SlowStart
		}
	case c.served.Load():
		return
	case r.Status >= 400 && r.Status != 408:
		r.Kind, r.Err = BadHTTP, fmt.Errorf("the HTTP server answered %d", r.Status)
	case c.late.Load() && (c.active.Load() || !c.got.Load()):
		r.Kind, r.Err = SlowStart, errors.New("the request did not come in time")
	case c.active.Load() && r.Status == 0:
		r.Kind, r.Err = BadHTTP, errors.New("the client left within its request")
	default:
		return
	}
	c.l.o.Refused(r)
}

// client gives the address of the client without waiting for it.
func (c *Conn) client() netip.AddrPort {
	if c.below != nil && c.below.source != nil {
		return addrPort(c.below.source)
	}
	return c.peer
}
