package sim

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// netDial is how a client opens its TCP connection.
type netDial func(ctx context.Context, network, address string) (net.Conn, error)

// from dials from a local address, "" for any. See canSpread.
func from(ip string) netDial {
	d := net.Dialer{KeepAlive: 30 * time.Second}
	if ip != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	return d.DialContext
}

// addresses gives each client a source address of its own in 127.0.0.0/8, so that a server on this machine tells them
// apart as it would on the net. Elsewhere all have this machine's address.
type addresses struct{ spread bool }

func (a addresses) user(i int) string {
	return a.pick(fmt.Sprintf("127.%d.%d.%d", 1+i/62500, i/250%250, 1+i%250))
}

func (a addresses) trouble(i, n int) string {
	return a.pick(fmt.Sprintf("127.%d.0.%d", 100+i%150, 1+n%maxTroubleAddresses))
}

func (a addresses) pick(ip string) string {
	if a.spread {
		return ip
	}
	return ""
}

// canSpread says whether all targets are on this machine, and whether it owns the whole of 127.0.0.0/8, which some
// systems don't.
func canSpread(ctx context.Context, targets []string) bool {
	for _, t := range targets {
		u, err := url.Parse(t)
		if err != nil {
			return false
		}
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback() || ip.To4() == nil) {
			return false
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.1.0.1:0")
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// line is a TCP connection that its actor can cut or let hang, under a client that knows nothing of it.
type line struct {
	mu    sync.Mutex
	now   *held // the newest connection, nil before the first
	hangs bool
}

// dial wraps d so that the line keeps hold of the newest connection.
func (l *line) dial(d netDial) netDial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d(ctx, network, address)
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			_ = c.Close() // the next error says it
			return nil, fmt.Errorf("dialing %s: found a %T, expected TCP", address, c)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now = &held{TCPConn: tcp, line: l, closed: make(chan struct{})}
		return l.now, nil
	}
}

// hang makes every further read wait until the connection is closed: to the peer the client is there and mute.
func (l *line) hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hangs = true
	if l.now != nil {
		_ = l.now.SetReadDeadline(time.Unix(1, 0)) // wakes the read that is under way; a closed one needs none
	}
}

// reset ends the connection without a goodbye: linger 0 makes the kernel send RST. False: there was none that had its hello.
// One before that is no connection yet to the server, but a handshake.
func (l *line) reset() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil || !l.now.up || l.now.SetLinger(0) != nil {
		return false
	}
	return l.now.Close() == nil
}

// held is a connection of a line.
type held struct {
	*net.TCPConn
	line   *line
	closed chan struct{}
	once   sync.Once

	head []byte // of what was read, until up; both guarded by the line's mu
	up   bool   // the server has said hello
}

// heard looks for the hello. The line's mu is held.
func (h *held) heard(p []byte) {
	if h.up {
		return
	}
	h.head = append(h.head, p...)
	if h.up = bytes.Contains(h.head, []byte(`"hello"`)); h.up {
		h.head = nil
	}
}

// Read implements net.Conn.
func (h *held) Read(p []byte) (int, error) {
	n, err := h.TCPConn.Read(p)
	h.line.mu.Lock()
	hangs := h.line.hangs
	h.heard(p[:max(n, 0)])
	h.line.mu.Unlock()
	if !hangs {
		return n, err
	}
	<-h.closed
	return 0, net.ErrClosed
}

// Close implements net.Conn.
func (h *held) Close() error {
	h.once.Do(func() { close(h.closed) })
	return h.TCPConn.Close()
}
