package imserver

import (
	"hash/maphash"

	"imwatch/event"
)

// stay ends a connection that has said nothing for limits.idle or is as old as limits.max_lifetime, and gives when to
// look again; 0: when one likes.
func (s *Server) stay(c *conn, now int64) (due int64) {
	limits := &s.conf().Limits
	if limit := int64(limits.MaxLifetime); limit > 0 {
		// Those who came together do not all come back together: the last tenth is spread.
		over := int64(c.opened.Sub(s.start)) + limit - int64(maphash.String(s.seed, c.id)%uint64(limit/10+1)) //nolint:gosec // not negative, and less than limit
		if now >= over {
			c.end(event.CloseMaxLifetime, 0, nil)
			return 0
		}
		due = over
	}
	if limit := int64(limits.Idle); limit > 0 {
		over := max(c.lastSaid.Load(), int64(c.opened.Sub(s.start))) + limit
		if now >= over {
			c.end(event.CloseIdle, 0, nil)
			return 0
		}
		if due == 0 || over < due {
			due = over
		}
	}
	return due
}
