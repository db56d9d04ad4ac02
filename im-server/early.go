package imserver

import (
	"crypto/tls"
	"net/netip"

	"imwatch/event"
	"imwatch/im-server/accept"
)

// takeConnections puts PROXY headers, TLS and the bounds of connections without a request before the clients' listener.
func (s *Server) takeConnections() {
	conf := s.conf()
	o := accept.Options{
		Timeout: conf.Timeouts.Handshake, Refused: s.refusedEarly, Now: s.now, Shared: s.trusted.has,
		Bounds: func() (all, each int) {
			l := &s.conf().Limits
			return l.Handshakes, l.AddressHandshakes
		},
	}
	if conf.ProxyProtocol {
		o.Proxied = s.trusted.has
	}
	if s.certificates != nil {
		o.TLS = func() *tls.Config { return s.certificates.now.Load().config }
	}
	s.accept = accept.Listen(s.listener, o)
}

// earlyReasons are the reasons of what comes to no handler.
func earlyReason(k accept.Kind) event.HandshakeReason {
	switch k {
	case accept.Full:
		return event.HandshakeNodeFull
	case accept.Crowd:
		return event.HandshakeRateLimitedIP
	case accept.BadTLS:
		return event.HandshakeTLS
	case accept.SlowStart:
		return event.HandshakeTimeout
	case accept.BadProxy, accept.BadHTTP:
	}
	return event.HandshakeBadUpgrade
}

// refusedEarly counts and writes what came to no handler. Anybody can make it without end: it is folded.
func (s *Server) refusedEarly(e accept.Refusal) {
	r := refused{
		refusal: refusal{reason: earlyReason(e.Kind), err: e.Err}, duration: e.After, status: e.Status, early: true,
		client: clientInfo{trace: continueTrace(""), port: int64(e.Peer.Port()), destPort: port(e.Local)},
	}
	if e.Peer.Addr() != (netip.Addr{}) {
		r.client.ip = e.Peer.Addr().String()
	}
	if end := s.certificateEnd(); e.Kind == accept.BadTLS && !end.After(s.now()) {
		r.reason.Level = event.LevelError // that is our fault
	}
	s.noteRefusal(r)
}
