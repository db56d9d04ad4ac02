package imserver

import "imwatch/event"

// Kick ends every connection of a user on this node, as an administrator does, and gives their number. actor is who does
// it, for the log. The clients are told not to come back. It returns before they are closed.
func (s *Server) Kick(user, actor string) int {
	return s.hub.toUser(user, func(c *conn) bool { return s.kick(c, actor) })
}

// kick ends one connection; false if it ends already.
func (s *Server) kick(c *conn, actor string) bool {
	if !c.end(event.CloseKicked, 0, nil) {
		return false
	}
	ev := c.event(event.ActionSessionKicked)
	if actor != "" {
		ev.SetLabel("actor", clipText(actor, maxErrorText))
	}
	s.emit(ev)
	return true
}
