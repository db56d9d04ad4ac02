package imserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"imwatch/event"
)

// Run serves until ctx ends, then drains: it is not ready any more, refuses handshakes, sends no more pings, closes the
// connections one after another with a hint when to come back, and returns nil when all are gone or the time for it is
// over. Every connection has its end in the log then, and the listeners and the log are closed. It returns an error if
// it cannot serve. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	stopLog, stopWork := make(chan struct{}), make(chan struct{})
	var logging, working sync.WaitGroup
	sharing, stopSharing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSharing()
	working.Go(func() { s.report("sharing with other nodes", s.cluster.Run(sharing)) })
	if err := s.recoverLog(ctx); err != nil {
		stopSharing()
		working.Wait()
		return fmt.Errorf("im-server: %w", errors.Join(err, s.Close()))
	}
	logging.Go(func() { s.log.Run(stopLog) })
	working.Go(func() { s.wheel.run(stopWork, s.clock, s.safeVisit) })
	working.Go(func() { s.keepHouse(stopWork) })
	s.background(s.keepSessions)
	s.keepDocuments()
	if s.shared {
		s.background(s.keepLease)
		s.background(s.keepReaping)
	}
	failed := make(chan error, 2)
	working.Go(func() {
		s.serve(s.public, s.listener.Addr().String(), failed, func() error { return s.public.Serve(s.accept) })
	})
	if s.ops != nil {
		working.Go(func() { s.serve(s.admin, s.ops.Addr().String(), failed, func() error { return s.admin.Serve(s.ops) }) })
	}
	s.started()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.drain(context.WithoutCancel(ctx))
	s.settle(context.WithoutCancel(ctx))
	stopSharing()
	close(stopWork)
	working.Wait()
	s.api.Wait()
	s.folder.flush(s.now(), true)
	s.logStats()
	s.emit(s.nodeEvent(event.ActionServerStop))
	s.log.Seal()
	close(stopLog)
	logging.Wait()
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("im-server: %w", err)
	}
	return nil
}

func (s *Server) serve(srv *http.Server, addr string, failed chan<- error, run func() error) {
	if err := run(); !errors.Is(err, http.ErrServerClosed) && (!errors.Is(err, net.ErrClosed) || !s.draining.Load()) {
		failed <- fmt.Errorf("serving %s: %w", addr, err)
		_ = srv.Close() // its error would be that of the listener again
	}
}

func (s *Server) started() {
	ev := s.nodeEvent(event.ActionServerStart)
	ev.SetInt(event.FieldDestinationPort, port(s.listener.Addr()))
	if end := s.certificateEnd(); !end.IsZero() {
		ev.SetTime(event.FieldTLSNotAfter, end)
	}
	s.emit(ev)
	s.ready.Store(true)
	s.deps.Log.WithField("addr", s.Addr()).WithField("ops_addr", s.OpsAddr()).WithField("boot", s.boot).Info("im-server serves")
}

// safeVisit keeps the wheel turning whatever one connection does.
func (s *Server) safeVisit(owner timed, now int64) (due int64) {
	defer func() {
		if p := recover(); p != nil {
			var client *clientInfo
			if c, ok := owner.(*conn); ok {
				client = &c.client
			}
			s.panicked(client, p)
			due = now + int64(s.conf().Heartbeat.Interval)
		}
	}()
	if s.draining.Load() {
		return now + int64(s.conf().Heartbeat.Interval) // it has its end before it
	}
	return owner.visit(now)
}

// settle tells the cluster the last of this node.
func (s *Server) settle(ctx context.Context) {
	s.endLife()
	s.tasks.Wait()
	ctx, cancel := context.WithTimeout(ctx, s.conf().Timeouts.Handshake)
	defer cancel()
	s.saveSessions(ctx)
	if s.shared {
		s.tellHeld(ctx)
		s.report("giving the node's lease up", s.cluster.Retire(ctx))
	}
	for _, x := range s.sessions.all() {
		x.end(true) // nobody can resume it here any more
		s.sessions.remove(x)
	}
}
