package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// result is one line of output.
type result map[string]any

// scenario is one measurement of one server that was just started.
type scenario struct {
	name   string
	pinned bool // server and clients have a core each
	run    func(ctx context.Context, s *server, r result) error
}

// scenarios gives all, each with the name that --only knows. span is how long messages flow.
func scenarios(span time.Duration) []scenario {
	all := []scenario{
		{"idle-5000", false, idle(5000)},
		{"idle-10000", false, idle(10000)},
		{"room-100-paced", false, room(100, 50, 0, span)},
		{"room-100-full", false, room(100, 0, 16, span)},
		{"room-5000", false, room(5000, 8, 0, span)},
		{"storm-5000", false, storm(5000)},
		{"rate-5000", false, rate(5000, span)},
		{"most", false, most},
	}
	for _, n := range []struct {
		name   string
		flight int
	}{{"1", 1}, {"16", 16}, {"200", 200}} {
		all = append(all, scenario{"echo-" + n.name, false, echo(n.flight, span, dialect.echo)},
			scenario{"own-" + n.name, false, echo(n.flight, span, dialect.own)})
	}
	return append(all, scenario{"pinned-room-100-full", true, room(100, 0, 16, span)},
		scenario{"pinned-room-5000", true, room(5000, 8, 0, span)}, scenario{"pinned-rate-5000", true, rate(5000, span)},
		scenario{"pinned-echo-1", true, echo(1, span, dialect.echo)}, scenario{"pinned-echo-200", true, echo(200, span, dialect.echo)})
}

// settle is how long a server has after its collector ran to give memory back to the system.
const settle = 5 * time.Second

// idleSpan is longer than the heartbeats of all three are apart.
const idleSpan = 31 * time.Second

// idle measures the connects, and what a connection costs that does nothing.
func idle(n int) func(context.Context, *server, result) error {
	return func(ctx context.Context, s *server, r result) error {
		zero, _, err := s.memory(ctx)
		if err != nil {
			return err
		}
		u, err := s.usage()
		if err != nil {
			return err
		}
		f, err := gather(ctx, s, "u-", n, nil)
		if err != nil {
			return err
		}
		defer f.end()
		cpu, err := s.since(u, r)
		if err != nil {
			return err
		}
		f.connect.ms(r, "connect_")
		r["connect_cpu_ms"] = round(1000*cpu/float64(n), 3)
		pause(ctx, settle)
		before, err := s.rss()
		if err != nil {
			return err
		}
		full, h, err := s.memory(ctx)
		if err != nil {
			return err
		}
		each := func(v float64) float64 { return round(v/float64(n), 2) }
		r["rss_kib_each"], r["before_gc_kib_each"], r["heap_kib_each"], r["stack_kib_each"] = each(full-zero), each(before-zero), each(h.inuse), each(h.stack)
		goroutines, err := s.goroutines(ctx)
		if err != nil {
			return err
		}
		r["goroutines_each"] = each(float64(goroutines))
		if u, err = s.usage(); err != nil {
			return err
		}
		pause(ctx, idleSpan)
		quiet := result{}
		if _, err := s.since(u, quiet); err != nil {
			return err
		}
		r["idle_cores"] = quiet["server_cores"]
		return f.report(r)
	}
}

// memory is what a server holds after two collections, in KiB.
func (s *server) memory(ctx context.Context) (rss float64, h heap, err error) {
	for range 2 {
		if h, err = s.collect(ctx, true); err != nil {
			return 0, h, err
		}
	}
	pause(ctx, settle)
	rss, err = s.rss()
	return rss, h, err
}

// storm resets all connections at once.
func storm(n int) func(context.Context, *server, result) error {
	return func(ctx context.Context, s *server, r result) error {
		f, err := gather(ctx, s, "u-", n, nil)
		if err != nil {
			return err
		}
		defer f.end()
		pause(ctx, time.Second)
		u, err := s.usage()
		if err != nil {
			return err
		}
		var back histogram
		all, resumed, err := f.storm(ctx, &back)
		if err != nil {
			return err
		}
		cpu, err := s.since(u, r)
		if err != nil {
			return err
		}
		back.ms(r, "back_")
		r["all_back_ms"], r["resumed"], r["cpu_ms_each"] = all.Milliseconds(), resumed, round(1000*cpu/float64(n), 3)
		pause(ctx, time.Second)
		return f.report(r)
	}
}

// rate lets every connection echo one message a second.
func rate(n int, span time.Duration) func(context.Context, *server, result) error {
	return func(ctx context.Context, s *server, r result) error {
		var took histogram
		f, err := gather(ctx, s, "u-", n, func(_ int, c *client) {
			c.room = s.echoRoom(c)
			c.got = func(_ *client, _ int64, t time.Duration) { took.add(t) }
		})
		if err != nil {
			return err
		}
		defer f.end()
		p, err := s.begin(ctx)
		if err != nil {
			return err
		}
		start, sent := time.Now(), 0
		for time.Since(start) < span {
			for due := int(time.Since(start).Seconds() * float64(n)); sent < due; sent++ {
				c := f.clients[sent%n]
				if err := c.send(c.d.echo(nil, int64(sent), c, appendBody(nil, int64(sent)))); err != nil {
					return err
				}
			}
			pause(ctx, time.Millisecond)
		}
		if err := awaitCount(ctx, &took, int64(sent)); err != nil {
			return err
		}
		if err := p.end(ctx, r, int64(sent)); err != nil {
			return err
		}
		took.ms(r, "")
		return f.report(r)
	}
}

// echoRoom is the channel that a client of Centrifugo writes to itself by; others need none.
func (s *server) echoRoom(c *client) string {
	if _, ok := s.peer.dialect.(centrifugo); ok {
		return "own-" + c.user
	}
	return ""
}

// awaitCount waits until so many came.
func awaitCount(ctx context.Context, h *histogram, want int64) error {
	for limit := time.Now().Add(20 * time.Second); h.count() < want; pause(ctx, 5*time.Millisecond) {
		if time.Now().After(limit) {
			return errors.New("messages are missing")
		}
	}
	return nil
}

// phase is what a server uses while messages flow.
type phase struct {
	s     *server
	u     usage
	begun heap
	peak  atomic.Int64
	stop  chan struct{}

	profiled chan error // nil: no profile is made
}

func (s *server) begin(ctx context.Context) (*phase, error) {
	h, err := s.collect(ctx, true)
	if err != nil {
		return nil, err
	}
	p := &phase{s: s, begun: h, stop: make(chan struct{})}
	go p.watch()
	if s.profile != "" {
		p.profiled = make(chan error, 1)
		go func() { p.profiled <- s.writeProfile(ctx) }()
	}
	p.u, err = s.usage()
	return p, err
}

func (p *phase) watch() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if v, err := p.s.rss(); err == nil {
				p.peak.Store(max(p.peak.Load(), int64(v)))
			}
		case <-p.stop:
			return
		}
	}
}

// end adds CPU, memory and the collector's pauses to r; operations is what the CPU was used for.
func (p *phase) end(ctx context.Context, r result, operations int64) error {
	cpu, err := p.s.since(p.u, r)
	if err != nil {
		return err
	}
	close(p.stop)
	if p.profiled != nil {
		if err := <-p.profiled; err != nil {
			return err
		}
	}
	r["operations"], r["cpu_us_each"] = operations, round(1e6*cpu/float64(max(operations, 1)), 2)
	r["peak_rss_mb"] = p.peak.Load() / 1024
	now, err := p.s.collect(ctx, false)
	if err != nil {
		return err
	}
	var pauses []float64
	for n := max(p.begun.cycles, now.cycles-len(now.pauses)) + 1; n <= now.cycles; n++ {
		pauses = append(pauses, now.pauses[(n+255)%256])
	}
	slices.Sort(pauses)
	r["gc_cycles"] = now.cycles - p.begun.cycles
	if n := len(pauses); n > 0 {
		r["gc_p99_ms"], r["gc_max_ms"] = round(pauses[(n-1)*99/100]/1e6, 3), round(pauses[n-1]/1e6, 3)
	}
	return nil
}
