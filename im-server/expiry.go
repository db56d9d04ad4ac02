package imserver

import (
	"imwatch/event"
)

// expiry gives the clock when a connection's token ends; 0: never.
func (s *Server) expiry(c *conn) int64 {
	id := c.identity.Load()
	if id == nil || id.Expires.IsZero() {
		return 0
	}
	return max(1, int64(id.Expires.Sub(s.start)))
}

// renew puts a new token's identity in place of the one before.
func (c *conn) renew(id *Identity) {
	c.identity.Store(id)
	if due := c.s.expiry(c); due != 0 {
		c.s.wheel.sooner(&c.place, due)
	}
}

// Revoked has the server look at the tokens of open connections again, for an [Authenticator] that is a [Revoker]. It
// returns at once. Safe for concurrent use.
func (s *Server) Revoked() { s.revoked.Store(true) }

// endRevoked ends the connections whose token was revoked since the time before.
func (s *Server) endRevoked() {
	r, ok := s.auth.(Revoker)
	if !ok || !s.revoked.Swap(false) {
		return
	}
	for _, c := range s.hub.all() {
		if id := c.identity.Load(); id != nil && r.Revoked(*id) {
			c.end(event.CloseAuthRevoked, 0, nil)
		}
	}
}
