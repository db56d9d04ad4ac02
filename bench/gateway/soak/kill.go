package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// killings is what was done while messages flowed.
type killings struct {
	mu                                           sync.Mutex
	nodes, frozen, terms, redis, clients, resets int
	errs                                         []error
}

// Mean times between two.
const (
	nodeEvery   = 6 * time.Second
	redisEvery  = 12 * time.Second
	clientEvery = 500 * time.Millisecond
	cutEvery    = 100 * time.Millisecond
)

// begin kills until ctx ends; everything runs again then.
func (k *killings) begin(ctx context.Context, s *site, couriers []*courier, work *sync.WaitGroup) {
	every := func(mean time.Duration, do func() error) {
		work.Go(func() {
			for pause(ctx, drawn(mean)) {
				if err := do(); err != nil {
					k.mu.Lock()
					k.errs = append(k.errs, err)
					k.mu.Unlock()
					return
				}
			}
		})
	}
	calm := context.WithoutCancel(ctx) // what was ended is started again whatever happens
	every(nodeEvery, func() error {
		n := s.nodes[rand.IntN(len(s.nodes))] //nolint:gosec // here and below: no secret
		sig := syscall.SIGKILL
		switch rand.IntN(5) { //nolint:gosec // as above
		case 0:
			sig = syscall.SIGTERM
			k.count(&k.terms)
		case 1: // for about as long as its lease, which is shorter than the default here
			k.count(&k.frozen)
			return n.freeze(func() { pause(calm, shortLease/2+drawn(shortLease)) })
		default:
			k.count(&k.nodes)
		}
		n.end(sig)
		pause(calm, 100*time.Millisecond+drawn(time.Second))
		return n.start(calm)
	})
	if s.redis != nil {
		every(redisEvery, func() error {
			k.count(&k.redis)
			s.redis.p.end(syscall.SIGKILL)
			pause(calm, 100*time.Millisecond+drawn(time.Second))
			return s.redis.start(calm)
		})
	}
	every(cutEvery, func() error {
		k.count(&k.resets)
		couriers[rand.IntN(len(couriers))].cut() //nolint:gosec // as above
		return nil
	})
	every(clientEvery, func() error {
		k.count(&k.clients)
		c := couriers[rand.IntN(len(couriers))] //nolint:gosec // as above
		err := c.kill()
		c.reborn()
		pause(calm, drawn(200*time.Millisecond))
		return errors.Join(err, c.live(calm))
	})
}

// drawn is a time with the given mean, five times that at most.
func drawn(mean time.Duration) time.Duration {
	return min(5*mean, time.Duration(rand.ExpFloat64()*float64(mean))) //nolint:gosec // no secret
}

func (k *killings) count(what *int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*what++
}

func (k *killings) err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return errors.Join(k.errs...)
}

func (k *killings) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("killed: %d nodes, %d clients, Redis %d times; %d nodes ended in order, %d stood still, %d connections cut", k.nodes, k.clients, k.redis, k.terms, k.frozen, k.resets)
}

func (k *killings) report(r result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r["frozen_nodes"] = k.frozen
	r["killed_nodes"], r["ended_nodes"], r["killed_redis"], r["killed_clients"], r["cut_connections"] = k.nodes, k.terms, k.redis, k.clients, k.resets
}
