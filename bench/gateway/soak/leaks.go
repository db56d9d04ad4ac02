package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"
)

// resumeConfig lets sessions that were lost end soon, so that what is left of them shows.
const resumeConfig = "sessions: {resume: 3s}"

// leaks opens connections that end in all the ways clients have, and looks at what the node still holds.
func leaks(ctx context.Context, b *bench, r result) error {
	b.redis = ""
	if b.clients == 0 {
		b.clients = 500
	}
	if !strings.Contains(b.extra, "sessions:") {
		b.extra += "\n" + resumeConfig
	}
	s, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(syscall.SIGKILL)
	n := s.nodes[0]
	if err := n.churn(ctx, b.clients, 2*b.clients); err != nil { // pools and tables have their size then
		return err
	}
	pause(ctx, 10*time.Second)
	before, err := n.holdings(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := n.churn(ctx, b.clients, b.messages); err != nil {
		return err
	}
	r["connections"], r["seconds"] = b.messages, int(time.Since(start).Seconds())
	var now, more map[string]float64
	err = until(ctx, time.Minute, "nothing is left", func() error {
		if now, err = n.holdings(ctx); err != nil {
			return err
		}
		if more = grown(before, now); len(more) > 0 {
			pause(ctx, 2*time.Second)
			return fmt.Errorf("left: %v", more)
		}
		return nil
	})
	r["before"], r["after"], r["left"] = before, now, more
	s.close(syscall.SIGTERM)
	if err != nil {
		return err
	}
	return s.balance(r, 0)
}

// churn opens so many connections, atOnce at a time.
func (n *node) churn(ctx context.Context, atOnce, count int) error {
	numbers := make(chan int)
	var work sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range atOnce {
		work.Go(func() {
			for i := range numbers {
				if err := n.visit(ctx, i); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range count {
		numbers <- i
	}
	close(numbers)
	work.Wait()
	return first
}

// visit is one connection: it enters a room, says something and ends as its number says.
func (n *node) visit(ctx context.Context, i int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	user := "u-" + strconv.Itoa(i%5000)
	bearer := token(user)
	var conn net.Conn
	c, err := client.Dial(ctx, client.Options{
		URL: "ws://" + n.addr + protocol.Path, Device: "d-" + strconv.Itoa(i), NoReconnect: true,
		Token: func(context.Context) (string, error) { return bearer, nil },
		NetDial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			var err error
			conn, err = dialTo(ctx, addr)
			return conn, err
		},
	})
	if err != nil {
		return err
	}
	_ = c.Join("room-" + strconv.Itoa(i%100)) // here and below: the connection may have ended
	_, _ = c.SendTo("u-"+strconv.Itoa((i+1)%5000), body{"x"}.raw())
	switch i % 4 {
	case 0:
		_ = c.Close()
	case 1:
		_ = c.Logout()
	case 2:
		cut(conn)
	case 3:
		_ = conn.Close()
	}
	cancel()
	<-c.Done()
	return nil
}

// holdings is what a node has: goroutines, descriptors, memory in use, and every gauge of its own.
func (n *node) holdings(ctx context.Context) (map[string]float64, error) {
	h := map[string]float64{}
	for range 2 {
		page, err := n.get(ctx, "/debug/pprof/heap?debug=1&gc=1")
		if err != nil {
			return nil, err
		}
		_, v, _ := strings.Cut(page, "# HeapAlloc = ")
		v, _, _ = strings.Cut(v, "\n")
		bytes, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil, err
		}
		h["heap_mib"] = float64(int(bytes/(1<<18))) / 4
	}
	page, err := n.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	gauges := map[string]bool{"go_goroutines": true}
	for line := range strings.Lines(page) {
		f := strings.Fields(line)
		if len(f) == 4 && f[1] == "TYPE" {
			gauges[f[2]] = f[3] == "gauge" && strings.HasPrefix(f[2], "im_server_") || f[2] == "go_goroutines"
			continue
		}
		name, _, _ := strings.Cut(f[0], "{")
		if !gauges[name] || f[0] == "#" {
			continue
		}
		v, err := strconv.ParseFloat(f[len(f)-1], 64)
		if err != nil {
			return nil, err
		}
		if !math.IsNaN(v) { // it is not known
			h[f[0]] = v
		}
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.p.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	h["descriptors"] = float64(len(fds))
	return h, nil
}

// Room for what may come and go by itself.
const (
	spareMiB   = 8 // the inboxes of the senders' users are kept
	spareCount = 5
)

// grown gives what there is more of than before.
func grown(before, now map[string]float64) map[string]float64 {
	more := map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		spare := 0.0
		switch {
		case name == "heap_mib":
			spare = spareMiB
		case name == "go_goroutines", name == "descriptors":
			spare = spareCount
		case strings.Contains(name, "seconds"), strings.Contains(name, "timestamp"):
			continue
		}
		if now[name] > before[name]+spare {
			more[name] = now[name] - before[name]
		}
	}
	return more
}
