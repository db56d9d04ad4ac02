package imserver

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"imwatch/event"
)

// drainage is how far the end of a node has come.
type drainage struct {
	total atomic.Int64 // connections when it began
	begun atomic.Bool
}

// drainLeft is how many connections a draining node still has; 0 if it does not drain.
func (s *Server) drainLeft() int {
	if !s.drainage.begun.Load() {
		return 0
	}
	return s.hub.count()
}

// drain ends all connections in order: the node is not ready, so that no new ones are sent to it; after drain.delay it
// refuses handshakes and sends no more pings; then it closes connections, spread over time.
func (s *Server) drain(ctx context.Context) {
	s.ready.Store(false)
	s.drainage.total.Store(int64(s.hub.count()))
	s.drainage.begun.Store(true)
	ev := s.nodeEvent(event.ActionServerDrain)
	ev.SetInt(event.FieldServerConnections, s.drainage.total.Load())
	s.emit(ev)
	ctx, cancel := context.WithTimeout(ctx, s.conf().Drain.Delay+s.conf().Drain.Timeout)
	defer cancel()
	telling, stopTelling := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() { s.tellDrain(telling); close(told) }()

	select {
	case <-time.After(s.conf().Drain.Delay):
	case <-ctx.Done():
	}
	s.draining.Store(true)
	if !s.shared {
		// Nobody else can take these clients: rather no answer at once, and the next process' soon, than a refusal.
		_ = s.listener.Close() // serve passes over its end
	}
	for _, c := range s.hub.waiting() {
		c.endEarly(event.HandshakeDraining, event.CloseDrain, nil)
	}
	s.endAll(ctx, s.hub.all())
	s.awaitSlots(ctx)
	stopTelling()
	<-told
	s.cutRest(ctx)
}

// tellDrain says every second how far it is.
func (s *Server) tellDrain(ctx context.Context) {
	began := s.now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.deps.Log.WithField("left", s.hub.count()).WithField("of", s.drainage.total.Load()).
			WithField("after", s.now().Sub(began).Truncate(time.Millisecond)).Info("draining")
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// cutRest ends what is still here and has had its time: a handshake, or a peer that does not answer.
func (s *Server) cutRest(ctx context.Context) {
	for _, c := range s.hub.all() {
		c.end(event.CloseDrain, s.drainRetry(), nil)
		c.cut()
	}
	for _, c := range s.hub.waiting() {
		c.cut()
	}
	s.api.Traces.Close() // else who follows would keep the listener from ending
	requests, cancelRequests := context.WithTimeout(ctx, lastRequests)
	defer cancelRequests()
	for _, srv := range []*http.Server{s.public, s.admin} {
		if srv.Shutdown(requests) != nil {
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

// lastRequests is how long requests that are under way may take at the end. net/http would wait 5 s for connections that have
// not asked for anything, as browsers and load balancers keep them.
const lastRequests = 500 * time.Millisecond

// endAll closes connections in random order, spread over time, so that they do not all go to other nodes at one moment. A
// node that stands alone has them all wait for the next process: the sooner it is gone, the shorter they do, and what they
// are told spreads their return.
func (s *Server) endAll(ctx context.Context, open []*conn) {
	rand.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	const step = 20 * time.Millisecond
	rate := max(float64(s.conf().Drain.Rate), float64(len(open))/(s.conf().Drain.Timeout.Seconds()/2))
	if !s.shared {
		rate = max(rate, float64(len(open))/drainAlone.Seconds())
	}
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

// drainAlone is how long closing takes on a node that stands alone.
const drainAlone = 500 * time.Millisecond

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
