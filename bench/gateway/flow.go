package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// window is how many messages may be on their way at most.
const window = 1024

// room lets one client write to a room of n others: perSecond messages a second, or as fast as flight messages at a time
// go, each of which is done when all have it.
func room(n, perSecond, flight int, span time.Duration) func(context.Context, *server, result) error {
	return func(ctx context.Context, s *server, r result) error {
		var (
			took    histogram
			left    [window]atomic.Int64
			done    = make(chan struct{}, window)
			writer  *client
			counted atomic.Int64
		)
		f, err := gather(ctx, s, "u-", n+1, func(i int, c *client) {
			c.room = "room"
			if i == n {
				writer = c // of its own messages it may get some, or none
				return
			}
			c.got = func(_ *client, id int64, t time.Duration) {
				took.add(t)
				if left[id%window].Add(-1) == 0 {
					counted.Add(1)
					done <- struct{}{}
				}
			}
		})
		if err != nil {
			return err
		}
		defer f.end()
		pause(ctx, time.Second)
		p, err := s.begin(ctx)
		if err != nil {
			return err
		}
		publish := func(id int64) {
			left[id%window].Store(int64(n))
			writer.append(opText, writer.d.publish(nil, id, "room", appendBody(nil, id)))
		}
		start, sent := time.Now(), int64(0)
		for time.Since(start) < span {
			if flight == 0 {
				pause(ctx, time.Until(start.Add(time.Duration(sent)*time.Second/time.Duration(perSecond))))
			}
			writer.mu.Lock()
			for more := true; more; more = flight > 0 && sent-counted.Load() < int64(flight) {
				publish(sent)
				sent++
			}
			err := writer.flush()
			writer.mu.Unlock()
			if err != nil {
				return err
			}
			if flight > 0 {
				if err := awaitDone(done); err != nil {
					return errors.Join(err, f.report(r))
				}
			}
		}
		if err := awaitCount(ctx, &took, sent*int64(n)); err != nil {
			return errors.Join(err, f.report(r))
		}
		if err := p.end(ctx, r, sent*int64(n)); err != nil {
			return err
		}
		r["per_second"] = round(float64(sent)*float64(n)/time.Since(start).Seconds(), 0)
		took.ms(r, "")
		return f.report(r)
	}
}

// awaitDone waits for a message that all have, and takes the word of others too.
func awaitDone(done chan struct{}) error {
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		return errors.New("nothing came for 20 s")
	}
	for {
		select {
		case <-done:
		default:
			return nil
		}
	}
}

// echo lets one connection have so many messages on their way, each of which is followed by another when it is back.
func echo(flight int, span time.Duration, write func(dialect, []byte, int64, *client, []byte) []byte) func(context.Context, *server, result) error {
	return func(ctx context.Context, s *server, r result) error {
		var (
			took  histogram
			due   int   // how many came back since the last write; the reader's
			id    int64 // the reader's once it began
			over  atomic.Bool
			ended = make(chan struct{})
			away  = flight
		)
		next := func(c *client) {
			id++
			c.append(opText, write(c.d, nil, id, c, appendBody(nil, id)))
		}
		f, err := gather(ctx, s, "u-", 1, func(_ int, c *client) {
			c.room = s.echoRoom(c)
			c.got = func(_ *client, _ int64, t time.Duration) { took.add(t); due++ }
			c.after = func(c *client) error {
				c.mu.Lock()
				defer c.mu.Unlock()
				for ; due > 0; due-- {
					if !over.Load() {
						next(c)
					} else if away--; away == 0 {
						close(ended)
					}
				}
				return nil
			}
		})
		if err != nil {
			return err
		}
		defer f.end()
		p, err := s.begin(ctx)
		if err != nil {
			return err
		}
		c, start := f.clients[0], time.Now()
		c.mu.Lock()
		for range flight {
			next(c)
		}
		err = c.flush()
		c.mu.Unlock()
		if err != nil {
			return err
		}
		pause(ctx, span)
		over.Store(true)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			return errors.Join(errors.New("messages are missing"), f.report(r))
		}
		n := took.count()
		if err := p.end(ctx, r, n); err != nil {
			return err
		}
		r["per_second"] = round(float64(n)/time.Since(start).Seconds(), 0)
		took.ms(r, "")
		return f.report(r)
	}
}
