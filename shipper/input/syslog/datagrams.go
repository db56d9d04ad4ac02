package syslog

import (
	"context"
	"net"
	"sync"

	"imwatch/shipper/input"
)

// maxDatagram is the longest there is.
const maxDatagram = 64 << 10

// queue is the datagrams that wait to be taken.
type queue struct {
	wake chan struct{}
	most int

	mu    sync.Mutex // guards the fields below
	lines map[string][]input.Line
	bytes int
}

// datagrams receives until the socket is closed.
func (s *Server) datagrams(ctx context.Context, give input.Give) {
	q := &queue{wake: make(chan struct{}, 1), most: s.opts.Config.QueueBytes, lines: map[string][]input.Line{}}
	s.wait.Go(func() { q.run(ctx, give) })
	again := newRepeats()
	buf := make([]byte, maxDatagram)
	for {
		n, peer, err := s.udp.ReadFrom(buf)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.opts.Log.WithError(err).Warn("a syslog datagram could not be received")
			continue
		}
		if most := s.opts.Config.MaxMessage; n > most {
			s.opts.Count(Cut)
			n = most
		}
		if lines := s.line(nil, again, buf[:n]); len(lines) > 0 && !q.add(peer, lines[0]) {
			s.opts.Count(Dropped)
		}
	}
}

// add is false when too much waits already.
func (q *queue) add(peer net.Addr, l input.Line) bool {
	from := origin("syslog", peer)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(l.Text) > q.most {
		return false
	}
	q.lines[from] = append(q.lines[from], l)
	q.bytes += len(l.Text)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

func (q *queue) take() map[string][]input.Line {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.lines
	q.lines, q.bytes = map[string][]input.Line{}, 0
	return lines
}

func (q *queue) run(ctx context.Context, give input.Give) {
	for {
		select {
		case <-q.wake:
		case <-ctx.Done():
			return
		}
		for from, lines := range q.take() {
			if give(ctx, input.Chunk{From: from, Origin: "syslog", Lines: lines}) != nil {
				return
			}
		}
	}
}
