package accept

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Options are what a Listener is given.
type Options struct {
	// Proxied says whose connections begin with a PROXY header; nil: nobody's.
	Proxied func(netip.Addr) bool
	// TLS gives the configuration for a new connection; nil: no TLS.
	TLS func() *tls.Config
	// Timeout bounds the PROXY header, and each write of the TLS handshake; reading is bounded by the HTTP server.
	Timeout time.Duration
	// Bounds gives how many connections may be under way to their request at once, of all and of one address; 0: any.
	Bounds func() (all, each int)
	// Shared says of which addresses many clients come, so that the bound of one address is not theirs; nil: of none.
	Shared func(netip.Addr) bool
	// Refused is told of each connection that ended before a request of it was served. It must be safe for concurrent
	// use and return soon.
	Refused func(Refusal)
	Now     func() time.Time
}

// Kind is why a connection was given up.
type Kind int

// The kinds of refusals.
const (
	Full      Kind = iota // too many are under way to their request
	Crowd                 // too many of this address are
	BadProxy              // no PROXY header came, or none that can be read
	BadTLS                // the TLS handshake failed
	BadHTTP               // the HTTP server refused the request by itself, or the client left within it
	SlowStart             // the request was not there in time
)

// Refusal is one connection that ended before a request of it was served.
type Refusal struct {
	Kind   Kind
	Peer   netip.AddrPort // the client, as far as it is known; may be invalid
	Local  net.Addr
	Status int // of the answer; 0: there was none
	After  time.Duration
	Err    error // never nil
}

// Listener is a net.Listener whose connections tell why they ended. Its State must be the HTTP server's ConnState, and each
// request must be told to its connection with [Served].
type Listener struct {
	net.Listener
	o Options

	mu   sync.Mutex // guards the fields below
	all  int
	each map[netip.Addr]int
}

// Listen wraps a listener, which it takes over.
func Listen(inner net.Listener, o Options) *Listener {
	return &Listener{Listener: inner, o: o, each: map[netip.Addr]int{}}
}

// Accept gives the next connection that is within the bounds. It is a [*Conn]. It never waits for a client.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // net/http looks at it
		}
		peer := addrPort(raw.RemoteAddr())
		if kind, err := l.take(peer.Addr()); err != nil {
			_ = raw.Close() // it was of no use yet
			l.o.Refused(Refusal{Kind: kind, Peer: peer, Local: raw.LocalAddr(), Err: err})
			continue
		}
		return newConn(l, raw, peer), nil
	}
}

// take counts a connection in, if there is room for it.
func (l *Listener) take(peer netip.Addr) (Kind, error) {
	all, each := l.o.Bounds()
	l.mu.Lock()
	defer l.mu.Unlock()
	if all > 0 && l.all >= all {
		return Full, fmt.Errorf("%d connections are under way to their request", l.all)
	}
	shared := l.o.Shared != nil && l.o.Shared(peer)
	if n := l.each[peer]; each > 0 && n >= each && !shared {
		return Crowd, fmt.Errorf("%d connections of this address are under way to their request", n)
	}
	l.all++
	l.each[peer]++
	return 0, nil
}

// give counts a connection out.
func (l *Listener) give(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.each[peer]--; l.each[peer] == 0 {
		delete(l.each, peer)
	}
}

// Pending counts the connections that speak HTTP, or nothing yet.
func (l *Listener) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// State follows the connections of the HTTP server.
func (l *Listener) State(nc net.Conn, st http.ConnState) {
	c, ok := nc.(*Conn)
	if !ok {
		return
	}
	switch st {
	case http.StateActive:
		c.active.Store(true)
		c.served.Store(false)
	case http.StateIdle:
		c.active.Store(false)
		c.served.Store(false) // net/http does not say that the next is active if it is here already
	case http.StateHijacked:
		l.give(c.peer.Addr())
	case http.StateClosed:
		l.give(c.peer.Addr())
		c.tell()
	case http.StateNew:
	}
}

// addrPort reads an address; the zero AddrPort if it is of another kind.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
