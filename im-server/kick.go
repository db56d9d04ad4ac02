package imserver

import (
	"context"

	"imwatch/event"
)

// Kick ends every connection of a user, on every node, as an administrator does, and gives their number. actor is who
// does it, for the log. The clients are told not to come back. It returns before they are closed.
func (s *Server) Kick(ctx context.Context, user, actor string) int {
	n := s.hub.toUser(user, func(c *conn) bool { return s.endFor(c, event.CloseKicked, actor) })
	devices, err := s.cluster.Devices(ctx, user)
	s.report("reading who is there", err)
	for _, d := range devices {
		if d.Node != s.node && s.kickConnection(ctx, d, event.CloseKicked, actor) {
			n++
		}
	}
	return n
}
