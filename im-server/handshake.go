package imserver

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/accept"
	"imwatch/im-server/protocol"
)

// handshake is one request to connect, on its way through the checks.
type handshake struct {
	g      *gin.Context
	began  time.Time
	client clientInfo
	slot   bool // holds a place among the connections
}

// connect serves a request to connect. It returns as soon as the connection is open, so that the buffers of net/http
// are given back: they cost more memory than the connection.
func (s *Server) connect(g *gin.Context) {
	s.pending.Add(1)
	defer s.pending.Add(-1)
	accept.Served(g.Request.Context())
	h := &handshake{g: g, began: s.now(), client: s.newClientInfo(g.Request)}
	defer func() {
		if p := recover(); p != nil {
			s.panicked(&h.client, p)
			s.refuse(h, refusal{reason: event.HandshakeInternal, err: errors.New("panic")})
		}
	}()
	if r := s.check(h); r != nil {
		s.refuse(h, *r)
		return
	}
	extensions, packs := s.packing.agree(g.Request)
	ws, err := s.upgrader.Upgrade(upgradeWriter{g.Writer}, g.Request, extensions)
	if err != nil {
		s.refuse(h, refusal{reason: event.HandshakeBadUpgrade, err: err})
		return
	}
	s.open(h, ws, packs)
}

// check runs the checks in the order of their cost; nil if all are passed.
func (s *Server) check(h *handshake) *refusal {
	for _, step := range []func(*handshake) *refusal{s.checkRate, s.checkAddress, s.checkCapacity, s.checkOrigin, s.checkUpgrade, s.checkToken} {
		if r := step(h); r != nil {
			return r
		}
	}
	return nil
}

func (s *Server) checkRate(h *handshake) *refusal {
	if s.draining.Load() {
		return &refusal{reason: event.HandshakeDraining, wait: s.conf().Drain.RetryMax}
	}
	if wait, ok := s.limiter.allow(limiterKey(h.client.ip), h.began); !ok {
		return &refusal{reason: event.HandshakeRateLimitedIP, wait: wait}
	}
	return nil
}

func (s *Server) checkCapacity(h *handshake) *refusal {
	h.slot = true
	if s.slots.Add(1) > int64(s.conf().Limits.Connections) {
		return &refusal{reason: event.HandshakeNodeFull, wait: fullRetry, err: fmt.Errorf("%d connections are allowed", s.conf().Limits.Connections)}
	}
	return nil
}

// fullRetry is what a client is told by a node that has no place: another node may be asked meanwhile.
const fullRetry = 5 * time.Second

func (s *Server) checkOrigin(h *handshake) *refusal {
	origin := h.g.Request.Header.Get("Origin")
	if !s.origins.Load().allows(origin, h.g.Request.Host) {
		return &refusal{reason: event.HandshakeOriginDenied, err: fmt.Errorf("origin %q", clipText(origin, maxAgent))}
	}
	return nil
}

func (s *Server) checkUpgrade(h *handshake) *refusal {
	r := h.g.Request
	bad := func(why string) *refusal {
		return &refusal{reason: event.HandshakeBadUpgrade, err: errors.New(why)}
	}
	if name := standsTwice(r.Header); name != "" {
		return bad(name + " stands twice")
	}
	switch key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key")); {
	case r.Method != http.MethodGet:
		return bad("the method is not GET")
	case !websocket.IsWebSocketUpgrade(r):
		return bad("no Connection: Upgrade and Upgrade: websocket")
	case !headerHas(r.Header.Values("Sec-WebSocket-Version"), "13"):
		h.g.Header("Sec-WebSocket-Version", "13")
		return &refusal{reason: event.HandshakeUnsupportedVersion, err: errors.New("Sec-WebSocket-Version is not 13")}
	case err != nil || len(key) != 16:
		return bad("Sec-WebSocket-Key is not 16 bytes in base64")
	}
	if v := r.URL.Query().Get(protocol.QueryVersion); v != "" && v != "1" {
		return &refusal{reason: event.HandshakeUnsupportedVersion, err: fmt.Errorf("protocol version %q is not 1", clipText(v, maxShort))}
	}
	return nil
}

// standsTwice names a header of which only one may be believed, and which would be a matter of luck.
func standsTwice(h http.Header) string {
	for _, name := range []string{"Authorization", "Origin", "Sec-Websocket-Key", "Sec-Websocket-Version", protocol.HeaderFactor} {
		if len(h.Values(name)) > 1 {
			return name
		}
	}
	return ""
}

// upgradeWriter gives the upgrade the bare connection: what stands before it is of no use any more.
type upgradeWriter struct{ gin.ResponseWriter }

func (w upgradeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := w.ResponseWriter.Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("taking the connection over: %w", err)
	}
	return accept.Stream(nc), rw, nil
}

func headerHas(values []string, want string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		return slices.ContainsFunc(strings.Split(v, ","), func(part string) bool { return strings.TrimSpace(part) == want })
	})
}

func (s *Server) checkToken(h *handshake) *refusal {
	ctx, cancel := context.WithTimeout(h.g.Request.Context(), s.conf().Timeouts.Handshake)
	defer cancel()
	token := bearer(h.g.Request)
	if token == "" && h.g.Request.URL.Query().Get(protocol.QueryWait) == "1" {
		return nil // it comes with the first envelope
	}
	return s.letIn(ctx, &h.client, token, secondFactor(h.g.Request))
}

// open makes a connection of a finished handshake. It gets its session at once, or with its first envelope.
func (s *Server) open(h *handshake, ws *websocket.Conn, packs bool) {
	h.slot = false // it is the connection's now
	c := newConn(s, ws, h.client, packs)
	c.opened, c.began = h.began, h.began.UnixNano()
	c.arrival = newArrival(h)
	if !c.arrival.waits {
		c.bind()
		go c.read()
		return
	}
	s.hub.wait(c)
	c.readUntil(s.conf().Sessions.Hello)
	go c.read()
	if s.draining.Load() { // between the check and now
		c.endEarly(event.HandshakeDraining, event.CloseDrain, nil)
	}
}

// newID makes an id that cannot be guessed.
func newID() string { return rand.Text() }

// localPort gives the port that a request came in by.
func localPort(r *http.Request) int64 {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return port(addr)
}
