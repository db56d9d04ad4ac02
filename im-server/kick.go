package imserver

import "imwatch/event"

// Kick ends every connection of a user, as an administrator does, and gives their number. The clients are told not to
// come back. It returns before they are closed.
func (s *Server) Kick(user string) int {
	return s.hub.toUser(user, func(c *conn) bool {
		if !c.end(event.CloseKicked, 0, nil) {
			return false
		}
		s.emit(c.event(event.ActionSessionKicked))
		return true
	})
}
