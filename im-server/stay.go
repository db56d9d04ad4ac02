package imserver

import (
	"hash/maphash"

	"imwatch/event"
)

// stay ends a connection whose token has ended, that has said nothing for limits.idle or is as old as
// limits.max_lifetime, and gives when to look again; 0: when one likes.
func (s *Server) stay(c *conn, now int64) (due int64) {
	limits := &s.conf().Limits
	if expires := s.expiry(c); expires != 0 {
		if now >= expires {
			c.end(event.CloseAuthExpired, 0, nil)
			return 0
		}
		due = expires
	}
	if limit := int64(limits.MaxLifetime); limit > 0 {
		// Those who came together do not all come back together: the last tenth is spread.
		over := int64(c.opened.Sub(s.start)) + limit - int64(maphash.String(s.seed, c.id)%uint64(limit/10+1)) //nolint:gosec // not negative, and less than limit
		if now >= over {
			c.end(event.CloseMaxLifetime, 0, nil)
			return 0
		}
		due = earlier(due, over)
	}
	if limit := int64(limits.Idle); limit > 0 {
		over := max(c.lastSaid.Load(), int64(c.opened.Sub(s.start))) + limit
		if now >= over {
			c.end(event.CloseIdle, 0, nil)
			return 0
		}
		due = earlier(due, over)
	}
	return due
}

// earlier gives the earlier of two times of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
