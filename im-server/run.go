package imserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"imwatch/event"
)

// Run serves until ctx ends, then drains: it is not ready any more, refuses handshakes, closes the connections one after
// another with a hint when to come back, and returns nil when all are gone or the time for it is over. Every
// connection has its end in the log then, and the listeners and the log are closed. It returns an error if it cannot
// serve. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.log.Recover(ctx, func(ev *event.Event) { s.describe(ev, event.ActionOrphaned, ev.Time()) }); err != nil {
		return fmt.Errorf("im-server: %w", errors.Join(err, s.Close()))
	}
	stopLog, stopWork := make(chan struct{}), make(chan struct{})
	var logging, working sync.WaitGroup
	logging.Go(func() { s.log.Run(stopLog) })
	working.Go(func() { s.wheel.run(stopWork, s.clock, s.safeVisit) })
	working.Go(func() { s.keepHouse(stopWork) })
	failed := make(chan error, 2)
	working.Go(func() {
		s.serve(s.public, s.listener.Addr().String(), failed, func() error { return s.public.Serve(s.listener) })
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
	close(stopWork)
	working.Wait()
	s.api.Wait()
	s.folder.flush(s.now(), true)
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
	if err := run(); !errors.Is(err, http.ErrServerClosed) {
		failed <- fmt.Errorf("serving %s: %w", addr, err)
		_ = srv.Close() // its error would be that of the listener again
	}
}

func (s *Server) started() {
	ev := s.nodeEvent(event.ActionServerStart)
	ev.SetInt(event.FieldDestinationPort, port(s.listener.Addr()))
	if !s.certEnd.IsZero() {
		ev.SetTime(event.FieldTLSNotAfter, s.certEnd)
	}
	s.emit(ev)
	s.ready.Store(true)
	s.deps.Log.WithField("addr", s.Addr()).WithField("ops_addr", s.OpsAddr()).WithField("boot", s.boot).Info("im-server serves")
}

// safeVisit keeps the wheel turning whatever one connection does.
func (s *Server) safeVisit(c *conn, now int64) (due int64) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(&c.client, p)
			due = now + int64(s.conf().Heartbeat.Interval)
		}
	}()
	return s.visit(c, now)
}

// drain ends all connections in order.
func (s *Server) drain(ctx context.Context) {
	s.ready.Store(false)
	s.draining.Store(true)
	ev := s.nodeEvent(event.ActionServerDrain)
	open := s.hub.all()
	ev.SetInt(event.FieldServerConnections, int64(len(open)))
	s.emit(ev)

	ctx, cancel := context.WithTimeout(ctx, s.conf().Drain.Timeout)
	defer cancel()
	s.endAll(ctx, open)
	s.awaitSlots(ctx)
	// What is still here has had its time: a handshake, or a peer that does not answer.
	for _, c := range s.hub.all() {
		c.end(event.CloseDrain, s.drainRetry(), nil)
		c.cut()
	}
	s.api.Traces.Close() // else who follows would keep the listener from ending
	for _, srv := range []*http.Server{s.public, s.admin} {
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close() // the time is over: cut what is left, of which nothing is to be said
		}
	}
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), s.conf().Timeouts.Handshake+2*s.conf().Timeouts.Close)
	defer cancelLast()
	for _, c := range s.hub.all() { // opened by handshakes that were under way
		c.cut()
	}
	s.awaitSlots(last)
}

// endAll closes connections in random order, spread over time, so that they do not all come back at one moment.
func (s *Server) endAll(ctx context.Context, open []*conn) {
	rand.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	const step = 20 * time.Millisecond
	rate := max(float64(s.conf().Drain.Rate), float64(len(open))/(s.conf().Drain.Timeout.Seconds()/2))
	t := time.NewTicker(step)
	defer t.Stop()
	for done, due := 0, 0.0; done < len(open); {
		due += rate * step.Seconds()
		for ; done < len(open) && done < int(due)+1; done++ {
			open[done].end(event.CloseDrain, s.drainRetry(), nil)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// drainRetry is when a client of a draining node is told to come back.
func (s *Server) drainRetry() time.Duration {
	spread := s.conf().Drain.RetryMax - s.conf().Drain.RetryMin
	return s.conf().Drain.RetryMin + time.Duration(rand.Int64N(int64(spread)+1)) //nolint:gosec // a spread, not a secret
}

// awaitSlots waits until no connection and no handshake holds a place.
func (s *Server) awaitSlots(ctx context.Context) {
	for s.slots.Load() > 0 {
		select {
		case <-s.freed:
		case <-ctx.Done():
			return
		}
	}
}
