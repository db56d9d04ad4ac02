package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// fleet is a number of clients that are connected and read.
type fleet struct {
	clients []*client
	connect histogram // from when each was due to its welcome
	lost    atomic.Int64
	first   atomic.Pointer[error] // of those that were lost

	closing atomic.Bool
	readers sync.WaitGroup
	stop    chan struct{}
}

// connectRate is how many connect in a second.
const connectRate = 1000

// gather connects n clients of the peer, none waiting for the one before. set prepares each.
func gather(ctx context.Context, s *server, name string, n int, set func(i int, c *client)) (*fleet, error) {
	f := &fleet{stop: make(chan struct{})}
	failed := make(chan error, n)
	for i := range n {
		user := name + strconv.Itoa(i)
		c := &client{d: s.peer.dialect, addr: s.addr, user: user, token: token(user)}
		if set != nil {
			set(i, c)
		}
		f.clients = append(f.clients, c)
	}
	start := time.Now()
	for i, c := range f.clients {
		due := start.Add(time.Duration(i) * time.Second / connectRate)
		pause(ctx, time.Until(due))
		f.readers.Go(func() {
			err := c.connect(ctx)
			f.connect.add(time.Since(due))
			failed <- err
			if err == nil {
				f.serve(c)
			}
		})
	}
	var errs []error
	for range n {
		if err := <-failed; err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		f.end()
		return nil, fmt.Errorf("%d of %d connects failed, as %w", len(errs), n, errs[0])
	}
	go f.sweep()
	return f, nil
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// serve reads until the connection ends.
func (f *fleet) serve(c *client) {
	err := c.read()
	if !f.closing.Load() {
		f.lost.Add(1)
		f.first.CompareAndSwap(nil, &err)
	}
}

// sweep acknowledges what has waited for half of the time that the server allows.
func (f *fleet) sweep() {
	every := f.clients[0].ackEvery
	if every <= 0 {
		return
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			for _, c := range f.clients {
				c.acknowledge()
			}
		case <-f.stop:
			return
		}
	}
}

// end cuts all connections, and waits until nobody reads any more.
func (f *fleet) end() {
	f.closing.Store(true)
	close(f.stop)
	for _, c := range f.clients {
		if c.conn != nil {
			c.reset()
		}
	}
	f.readers.Wait()
}

// report adds how many were lost.
func (f *fleet) report(r result) error {
	r["clients"], r["lost"] = len(f.clients), f.lost.Load()
	if err := f.first.Load(); err != nil {
		return fmt.Errorf("%d of %d connections were lost, as %w", f.lost.Load(), len(f.clients), *err)
	}
	return nil
}

// storm resets every connection at once; each comes back without waiting. It gives the time until all are back.
func (f *fleet) storm(ctx context.Context, back *histogram) (all time.Duration, resumed int, err error) {
	f.closing.Store(true)
	start := time.Now()
	for _, c := range f.clients {
		c.reset()
	}
	f.readers.Wait()
	f.closing.Store(false)
	failed := make(chan error, len(f.clients))
	for _, c := range f.clients {
		f.readers.Go(func() {
			err := c.connect(ctx)
			back.add(time.Since(start))
			failed <- err
			if err == nil {
				f.serve(c)
			}
		})
	}
	var errs []error
	for range f.clients {
		if err := <-failed; err != nil {
			errs = append(errs, err)
		}
	}
	all = time.Since(start)
	for _, c := range f.clients {
		if c.resumed {
			resumed++
		}
	}
	if len(errs) > 0 {
		return all, resumed, fmt.Errorf("%d of %d could not come back: %w", len(errs), len(f.clients), errs[0])
	}
	return all, resumed, nil
}
