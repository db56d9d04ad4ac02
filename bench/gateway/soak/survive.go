package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"
)

// bad is a mobile network on a bad day.
var bad = weather{ //nolint:gochecknoglobals // a constant, if there were such
	delay: 20 * time.Millisecond, jitter: 60 * time.Millisecond, loss: 0.02, stall: time.Minute, stallMax: 4 * time.Second,
	reset: 3 * time.Minute, hole: 15 * time.Minute,
}

// heartbeatConfig has six times the heartbeats, so that ten minutes see those of an hour.
const heartbeatConfig = "heartbeat: {interval: 5s, timeout: 15s}"

// survival is what must be reached, of connections and of sessions.
const survival = 0.9995

// tally counts how connections ended and began.
type tally struct {
	own, reset, hole, other atomic.Int64 // ends of connections that were up
	again, resumed          atomic.Int64 // connects that were not a life's first, and those that went on with the session
	lives                   atomic.Int64
}

// survive lets clients talk over a bad network, with lives that end and begin. A connection that neither the network nor
// its own client ended must live; a session must be continued after whatever the network does.
func survive(ctx context.Context, b *bench, r result) error {
	if b.clients == 0 {
		b.clients = 500
	}
	b.extra += "\n" + heartbeatConfig
	s, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(syscall.SIGKILL)
	netCtx, stopNet := context.WithCancel(ctx)
	defer stopNet()
	nw, err := newNetwork(bad, func() string { return s.pick(nil).addr })
	if err != nil {
		return err
	}
	var forwarding sync.WaitGroup
	forwarding.Go(func() { nw.run(netCtx) })
	m, t := newMail(b.clients), &tally{}
	couriers := make([]*courier, b.clients)
	people := make([]*person, b.clients)
	for i := range couriers {
		couriers[i] = t.courier(i, m, nw)
		people[i] = couriers[i].person
	}
	if err := all(people, 50, func(p *person) error { t.lives.Add(1); return p.live(ctx) }); err != nil {
		return err
	}
	talking, stop := context.WithTimeout(ctx, b.span)
	defer stop()
	var work sync.WaitGroup
	for _, c := range couriers {
		work.Go(func() { c.talk(talking, couriers, t) })
	}
	for tick := time.NewTicker(15 * time.Second); pause(talking, time.Until(<-tick.C)); {
		b.say("ends: own %d, reset %d, hole %d, other %d; %d of %d resumed", t.own.Load(), t.reset.Load(), t.hole.Load(), t.other.Load(), t.resumed.Load(), t.again.Load())
	}
	work.Wait()
	var lost []string
	_ = until(ctx, 2*time.Minute, "all has arrived", func() error { // what is missing is said below
		if lost = m.missing(); len(lost) > 0 {
			pause(ctx, time.Second)
			return fmt.Errorf("%d are missing", len(lost))
		}
		return nil
	})
	_ = all(people, 100, (*person).leave) // what they say of their end is of no interest
	stopNet()
	forwarding.Wait()
	s.close(syscall.SIGTERM)
	return t.judge(b, m, len(lost), s, r)
}

func (t *tally) judge(b *bench, m *mail, missing int, s *site, r result) error {
	connections := t.lives.Load() + t.again.Load()
	conns := 1 - float64(t.other.Load())/float64(connections)
	sessions := float64(t.resumed.Load()) / float64(max(t.again.Load(), 1))
	r["clients"], r["seconds"], r["lives"], r["connections"] = b.clients, int(b.span.Seconds()), t.lives.Load(), connections
	r["ended_by_client"], r["reset"], r["black_holes"], r["ended_otherwise"] = t.own.Load(), t.reset.Load(), t.hole.Load(), t.other.Load()
	r["survival_connections"], r["survival_sessions"] = conns, sessions
	r["acknowledged"], r["missing"], r["out_of_order"] = m.counts.acked, missing, m.counts.disorder
	if err := s.balance(r, 0); err != nil {
		return err
	}
	if conns < survival || sessions < survival || missing > 0 {
		return fmt.Errorf("%.3f %% of connections and %.3f %% of sessions survived, %.2f %% must; %d messages are missing", 100*conns, 100*sessions, 100*survival, missing)
	}
	return nil
}

// courier makes a client of the bad network.
func (t *tally) courier(i int, m *mail, nw *network) *courier {
	c := &courier{index: i, mail: m, keys: map[string]int{}, early: map[string]bool{}, slots: make(chan struct{}, inFlight)}
	var first atomic.Bool // the life has had a connection
	c.person = &person{user: "u-" + strconv.Itoa(i), ack: c.acknowledged}
	c.dial = func(ctx context.Context) (net.Conn, error) {
		conn, err := dialTo(ctx, nw.listen.Addr().String())
		if err != nil {
			return nil, err
		}
		return &watched{Conn: conn, ended: func() {
			switch f := nw.took(conn.LocalAddr().String()); {
			case c.leaving():
				t.own.Add(1)
			case f == wasReset:
				t.reset.Add(1)
			case f == wasLost:
				t.hole.Add(1)
			default:
				t.other.Add(1)
			}
		}}, nil
	}
	c.state = func(s client.State) {
		switch {
		case !s.Connected || first.CompareAndSwap(false, true):
		default:
			t.again.Add(1)
			if s.Hello.Resumed {
				t.resumed.Add(1)
			}
		}
	}
	c.message = func(msg protocol.Message, _ protocol.Envelope) {
		if key, err := keyOf(msg); err == nil {
			_ = m.receive(i, key) // a key of ours
		}
	}
	c.newLife = func() { first.Store(false) }
	return c
}

// lifeMean is how long a client lives.
const lifeMean = 90 * time.Second

// talk sends a message a second, and begins a new life now and then.
func (c *courier) talk(ctx context.Context, others []*courier, t *tally) {
	end := time.Now().Add(drawn(lifeMean))
	for n := 0; pause(ctx, time.Duration(float64(time.Second)*(0.5+rand.Float64()))); n++ { //nolint:gosec // no secret
		if time.Now().After(end) {
			if c.leave() == nil {
				c.newLife()
				t.lives.Add(1)
				if c.live(context.WithoutCancel(ctx)) != nil {
					return
				}
			}
			end = time.Now().Add(drawn(lifeMean))
		}
		c.send(ctx, others, n, n+1)
	}
}

// watched is a connection that says when it ended, if it was up.
type watched struct {
	net.Conn

	mu    sync.Mutex
	head  []byte // of what was read, until it is up
	up    bool
	ended func() // once
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.up {
		w.head = append(w.head, p[:n]...)
		if w.up = bytes.Contains(w.head, []byte(`"hello"`)); w.up {
			w.head = nil
		}
	}
	return n, err
}

func (w *watched) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.up && w.ended != nil {
		w.ended()
		w.ended = nil
	}
	return w.Conn.Close()
}
