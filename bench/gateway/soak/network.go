package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// weather is what a network does to its connections.
type weather struct {
	delay, jitter time.Duration // of everything, one way
	loss          float64       // share of pieces that a retransmission holds up, a second time as likely
	stall         time.Duration // mean time between two stalls of a connection, each up to stallMax
	stallMax      time.Duration
	reset         time.Duration // mean life until a reset of both sides; 0: never
	hole          time.Duration // mean life until nothing passes any more, and nobody is told
}

// fate is why the network ended a connection; "" while it has not.
type fate string

const (
	wasReset fate = "reset"
	wasLost  fate = "hole"
)

// network is a proxy in front of nodes. It knows by the client's address what it did to a connection.
type network struct {
	w      weather
	listen net.Listener
	pick   func() string

	mu    sync.Mutex
	fates map[string]fate // by the client's address

	work sync.WaitGroup
}

func newNetwork(w weather, pick func() string) (*network, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return nil, err
	}
	return &network{w: w, listen: l, pick: pick, fates: map[string]fate{}}, nil
}

// run forwards until ctx ends.
func (n *network) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = n.listen.Close() })
	defer stop()
	for {
		c, err := n.listen.Accept()
		if err != nil {
			break
		}
		n.work.Go(func() { n.carry(ctx, c) })
	}
	n.work.Wait()
}

// took gives and forgets what was done to a connection.
func (n *network) took(addr string) fate {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.fates[addr]
	delete(n.fates, addr)
	return f
}

// carry is the life of one connection.
func (n *network) carry(ctx context.Context, near net.Conn) {
	far, err := net.DialTimeout("tcp", n.pick(), 5*time.Second) //nolint:noctx // bounded
	if err != nil {
		cut(near)
		return
	}
	l := &line{w: n.w}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { l.pass(ctx, near, far) })
	both.Go(func() { l.pass(ctx, far, near) })
	done := make(chan struct{})
	go func() { both.Wait(); close(done) }()
	reset, hole := after(n.w.reset), after(n.w.hole)
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-ctx.Done():
			ended = true
		case <-reset:
			n.note(near, wasReset)
			cut(near)
			cut(far)
			ended = true
		case <-hole:
			n.note(near, wasLost)
			l.swallow()
			hole, reset = nil, nil
		}
	}
	cancel()
	cut(near)
	cut(far)
	<-done
}

func (n *network) note(near net.Conn, f fate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fates[near.RemoteAddr().String()] = f
}

// after fires once after a time that is drawn with the given mean; nil never does.
func after(mean time.Duration) <-chan time.Time {
	if mean == 0 {
		return nil
	}
	return time.After(time.Duration(rand.ExpFloat64() * float64(mean))) //nolint:gosec // no secret
}

// line is what both directions of a connection share.
type line struct {
	w weather

	mu        sync.Mutex
	swallowed bool
	stalled   time.Time // until then nothing passes
}

func (l *line) swallow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.swallowed = true
}

func (l *line) gone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.swallowed
}

// piece is what was read at one moment and arrives at another; nil data is the end.
type piece struct {
	data []byte
	due  time.Time
}

// pass carries bytes one way, each piece as late as the weather says, in order. It returns when its near end has ended, and
// tells the far end, unless nothing passes any more.
func (l *line) pass(ctx context.Context, from, to net.Conn) {
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		last := time.Time{}
		for {
			buf := make([]byte, 4096)
			k, err := from.Read(buf)
			if k > 0 {
				due := l.due(last)
				last = due
				select {
				case pieces <- piece{buf[:k], due}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) && !l.gone() {
					cut(to) // a reset goes through
				}
				return
			}
		}
	}()
	for p := range pieces {
		if !pause(ctx, time.Until(p.due)) {
			continue
		}
		if l.gone() {
			continue
		}
		if _, err := to.Write(p.data); err != nil {
			cut(from)
		}
	}
	if !l.gone() { // else not even the end passes
		closeWrite(to)
	}
}

// due draws when a piece that was sent now arrives; never before the one sent before it.
func (l *line) due(last time.Time) time.Time {
	now := time.Now()
	d := l.w.delay + time.Duration(rand.Float64()*float64(l.w.jitter))           //nolint:gosec // as below: no secret
	for again := 200 * time.Millisecond; rand.Float64() < l.w.loss; again *= 2 { //nolint:gosec // a retransmission
		d += again
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w.stall > 0 && rand.Float64() < 0.2/l.w.stall.Seconds() { //nolint:gosec // about five pieces a second pass
		l.stalled = now.Add(time.Duration(rand.Float64() * float64(l.w.stallMax))) //nolint:gosec // as above
	}
	due := now.Add(d)
	if due.Before(l.stalled) {
		due = l.stalled
	}
	if due.Before(last) {
		due = last
	}
	return due
}

// cut ends a connection with a reset.
func cut(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close() // whatever it says, it is over
}

func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // it may be over
	}
}
