package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"imwatch/client"
)

// Bars of a restart.
const (
	downP99 = 5 * time.Second
	downMax = 8 * time.Second
)

// restart takes the node away that all clients are on, and starts it again. With several nodes they may go to another.
func restart(ctx context.Context, b *bench, r result) error {
	if b.clients == 0 {
		b.clients = 5000
	}
	s, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(syscall.SIGKILL)
	first := s.nodes[0]
	var (
		begun     atomic.Bool // the restart
		connected atomic.Int64
		resumed   atomic.Int64
		mu        sync.Mutex
		downs     []time.Duration
		causes    = map[string]int{}
	)
	people := make([]*person, b.clients)
	defer func() { _ = all(people, 200, (*person).kill) }() // nothing can fail
	for i := range people {
		lost := time.Time{} // the client's goroutine alone uses it
		people[i] = &person{
			user: "u-" + strconv.Itoa(i),
			dial: func(ctx context.Context) (net.Conn, error) {
				if begun.Load() {
					return dialTo(ctx, s.pick(nil).addr)
				}
				return dialTo(ctx, first.addr)
			},
			state: func(st client.State) {
				switch {
				case st.Connected:
					connected.Add(1)
					if lost.IsZero() {
						return
					}
					mu.Lock()
					downs = append(downs, time.Since(lost))
					mu.Unlock()
					if st.Hello.Resumed {
						resumed.Add(1)
					}
					lost = time.Time{}
				case st.Lost:
					connected.Add(-1)
					lost = time.Now()
					mu.Lock()
					causes[cause(st.Err)]++
					mu.Unlock()
				}
			},
		}
	}
	if err := all(people, 50, func(p *person) error { return p.live(ctx) }); err != nil {
		return err
	}
	whole := func() error {
		if n := connected.Load(); n != int64(b.clients) {
			return fmt.Errorf("%d of %d are connected", n, b.clients)
		}
		return nil
	}
	if err := until(ctx, time.Minute, "all are connected", whole); err != nil {
		return err
	}
	pause(ctx, 2*time.Second)
	sig := syscall.SIGTERM
	if b.sigkill {
		sig = syscall.SIGKILL
	}
	b.say("%v", sig)
	begun.Store(true)
	start := time.Now()
	first.end(sig)
	r["exit_ms"] = time.Since(start).Milliseconds()
	if err := first.start(ctx); err != nil {
		return err
	}
	r["ready_again_ms"] = time.Since(start).Milliseconds()
	if err := until(ctx, time.Minute, "all are back", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(downs) < b.clients {
			return fmt.Errorf("%d of %d came back", len(downs), b.clients)
		}
		return whole()
	}); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(downs)
	at := func(q float64) time.Duration { return downs[int(q*float64(len(downs)-1))] }
	r["signal"], r["nodes"], r["clients"], r["losses"], r["resumed"] = sig.String(), len(s.nodes), b.clients, len(downs), resumed.Load()
	r["down_p50_ms"], r["down_p95_ms"], r["down_p99_ms"] = at(0.5).Milliseconds(), at(0.95).Milliseconds(), at(0.99).Milliseconds()
	r["down_max_ms"], r["causes"] = at(1).Milliseconds(), causes
	if at(0.99) > downP99 || at(1) > downMax {
		return fmt.Errorf("clients were down for %v (P99) and %v (max), %v and %v are allowed", at(0.99), at(1), downP99, downMax)
	}
	return nil
}

// cause names why a connection ended, in few words.
func cause(err error) string {
	if c, ok := errors.AsType[*client.CloseError](err); ok {
		return c.Reason
	}
	return fmt.Sprintf("%T", err)
}
