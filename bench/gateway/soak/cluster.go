package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// site is the nodes and their Redis.
type site struct {
	b     *bench
	nodes []*node
	redis *redis
	stop  context.CancelFunc
	work  sync.WaitGroup
}

// open starts everything.
func (b *bench) open(ctx context.Context) (s *site, err error) {
	s = &site{b: b}
	ctx, s.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			s.close(syscall.SIGKILL)
		}
	}()
	at := ""
	if b.redis != "" {
		if s.redis, err = b.newRedis(); err != nil {
			return nil, err
		}
		if err := s.redis.start(ctx); err != nil {
			return nil, err
		}
		at = s.redis.addr
	} else {
		b.nodes = 1
	}
	for i := range b.nodes {
		n, err := b.newNode(i, at)
		if err != nil {
			return nil, err
		}
		if err := n.start(ctx); err != nil {
			return nil, err
		}
		s.nodes = append(s.nodes, n)
		s.work.Go(func() { n.watch(ctx) })
	}
	return s, nil
}

// close ends the nodes by a signal, and Redis.
func (s *site) close(sig syscall.Signal) {
	var all sync.WaitGroup
	for _, n := range s.nodes {
		all.Go(func() { n.end(sig) })
	}
	all.Wait()
	if s.redis != nil && s.redis.p != nil {
		s.redis.p.end(syscall.SIGKILL)
	}
	s.stop()
	s.work.Wait()
}

// pick chooses a node as a load balancer does: at random of those that are ready, else of all.
func (s *site) pick(not *node) *node {
	var ready []*node
	for _, n := range s.nodes {
		if n != not && n.ready.Load() {
			ready = append(ready, n)
		}
	}
	if len(ready) == 0 {
		ready = s.nodes
	}
	return ready[rand.IntN(len(ready))] //nolint:gosec // no secret
}

// redis is a real Redis.
type redis struct {
	addr, port, dir, program, fsync string
	p                               *process
}

func (b *bench) newRedis() (*redis, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	r := &redis{addr: "127.0.0.1:" + ports[0], port: ports[0], dir: filepath.Join(b.dir, "redis"), program: b.redis, fsync: "everysec"}
	if b.harsh {
		r.fsync = "always"
	}
	return r, os.MkdirAll(r.dir, 0o700)
}

func (r *redis) start(ctx context.Context) (err error) {
	r.p, err = launch(filepath.Join(r.dir, "output"), r.program, "--bind", "127.0.0.1", "--port", r.port, "--dir", r.dir,
		"--appendonly", "yes", "--appendfsync", r.fsync, "--save", "", "--maxmemory-policy", "noeviction")
	if err != nil {
		return err
	}
	return until(ctx, time.Minute, "redis answers", func() error {
		c, err := net.DialTimeout("tcp", r.addr, time.Second) //nolint:noctx // a second
		if err != nil {
			return err
		}
		defer c.Close()
		answer := make([]byte, 7)
		_, err1 := c.Write([]byte("PING\r\n"))
		err2 := c.SetReadDeadline(time.Now().Add(time.Second))
		_, err3 := c.Read(answer)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		if string(answer) != "+PONG\r\n" {
			return fmt.Errorf("it says %q", answer)
		}
		return nil
	})
}

// freePorts gives ports below those that the kernel takes for the near ends of connections, so that they stay free while
// a process is down.
func freePorts(n int) (ports []string, err error) {
	for tries := 0; len(ports) < n; tries++ {
		if tries == 1000 {
			return nil, errors.New("no port is free")
		}
		port := strconv.Itoa(26000 + rand.IntN(6000))  //nolint:gosec // no secret
		l, err := net.Listen("tcp", "127.0.0.1:"+port) //nolint:noctx // at once
		if err != nil {
			continue
		}
		defer l.Close() // behind the loop, so that they differ
		ports = append(ports, port)
	}
	return ports, nil
}
