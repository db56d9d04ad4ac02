package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// client is one connection to the server under test, with what it must remember to come back.
type client struct {
	socket

	d           dialect
	addr        string
	user, token string
	room        string // entered once connected; "": none

	session, epoch string
	seq            atomic.Int64 // of the last message
	acked          int64        // guarded by mu
	ackEvery       time.Duration
	resumed        bool

	got   func(c *client, n int64, took time.Duration) // of each body
	after func(c *client) error                        // behind all that one read gave; may append and not flush
}

// began is the clock's zero: bodies say when they were sent by it.
var began = time.Now() //nolint:gochecknoglobals // one clock for all

func clock() int64 { return int64(time.Since(began)) }

const (
	bodySize = 128
	bodyMark = `{"t":1`
	bodyZero = 1_000_000_000_000_000_000 // makes all times equally long
)

// appendBody makes a body of 128 bytes that says when it was sent, and its number.
func appendBody(dst []byte, n int64) []byte {
	at := len(dst)
	dst = fmt.Appendf(dst, `{"t":%d,"n":%d,"p":"`, bodyZero+clock(), bodyZero+n)
	for len(dst) < at+bodySize-2 {
		dst = append(dst, 'x')
	}
	return append(dst, `"}`...)
}

// parseBody reads what appendBody wrote: when a body was sent, and its number.
func parseBody(msg []byte) (at, n int64, ok bool) {
	i := bytes.Index(msg, []byte(bodyMark))
	if i < 0 || len(msg) < i+bodySize {
		return 0, 0, false
	}
	return digits(msg[i+len(`{"t":`):]), digits(msg[i+len(`{"t":,"n":`)+19:]), true
}

func digits(b []byte) (v int64) {
	for _, c := range b[1:19] { // the first is bodyZero's
		v = v*10 + int64(c-'0')
	}
	return v
}

// connectLimit bounds one connect.
const connectLimit = 30 * time.Second

// connect opens the connection: TCP, upgrade, token, the server's first answer, and the room if there is one.
func (c *client) connect(ctx context.Context) error {
	dialer := net.Dialer{LocalAddr: c.local(), KeepAlive: -1}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	c.conn, c.used, c.have, c.out = conn, 0, 0, c.out[:0]
	path, header := c.d.request(c)
	if err := c.upgrade(c.addr, path, header, deadline); err != nil {
		return errors.Join(err, conn.Close())
	}
	if first := c.d.first(c); first != nil {
		if err := c.send(first); err != nil {
			return err
		}
	}
	if err := c.await(welcome); err != nil || c.room == "" {
		return err
	}
	if err := c.send(c.d.enter(nil, c.room)); err != nil {
		return err
	}
	return c.await(entered)
}

// local spreads the connections over loopback addresses, for each has only so many ports.
func (c *client) local() net.Addr {
	h := 0
	for _, b := range c.user {
		h = h*31 + int(b)
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+h&0x7))}
}

// await reads until a message of the kind has come.
func (c *client) await(want kind) error {
	for {
		frame, ok, err := c.next()
		if err != nil {
			return err
		}
		if !ok {
			if err := c.fill(); err != nil {
				return err
			}
			continue
		}
		for len(frame) > 0 {
			var msg []byte
			msg, frame = c.d.cut(frame)
			k := c.d.kind(msg)
			switch k { //nolint:exhaustive // the others are not for now
			case welcome:
				c.d.learn(c, msg)
			case fault:
				return fmt.Errorf("the server says %s", msg)
			}
			if k == want {
				return nil
			}
		}
	}
}

// read takes what comes until the connection ends. What is answered goes out in one write a read.
func (c *client) read() error {
	for {
		last, err := c.take(clock())
		if err != nil {
			return err
		}
		if c.after != nil {
			if err := c.after(c); err != nil {
				return err
			}
		}
		c.mu.Lock()
		if last != nil {
			var frame [96]byte
			if r := c.d.receipt(frame[:0], c, last); len(r) > 0 {
				c.append(opText, r)
			}
		}
		err = c.flush()
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// take handles all that was read; last is the last delivery.
func (c *client) take(now int64) (last []byte, err error) {
	for {
		frame, ok, err := c.next()
		if err != nil || !ok {
			return last, err
		}
		for len(frame) > 0 {
			var msg []byte
			msg, frame = c.d.cut(frame)
			switch c.d.kind(msg) {
			case delivery:
				last = msg
				at, n, ok := parseBody(msg)
				if ok && c.got != nil {
					c.got(c, n, time.Duration(now-at))
				}
			case probe:
				c.mu.Lock()
				c.append(opText, c.d.alive())
				c.mu.Unlock()
			case fault:
				return nil, fmt.Errorf("the server says %s", msg)
			}
		}
	}
}

// acknowledge sends what is due. The fleet calls it now and then.
func (c *client) acknowledge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.d.receipt(nil, c, nil); len(r) > 0 {
		c.append(opText, r)
		_ = c.flush() // the reader finds out
	}
}
