package redis

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// sentinels starts some of them for a master, and gives their addresses. They live as long as the test.
func sentinels(t *testing.T, n int, master *realRedis) (addrs []string) {
	t.Helper()
	for range n {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		_, port, _ := net.SplitHostPort(addr)
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(t.TempDir(), "sentinel.conf") // which it writes to
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %q\nlogfile log\nsentinel monitor im 127.0.0.1 %s %d\n"+
			"sentinel down-after-milliseconds im 500\nsentinel failover-timeout im 2000\n", port, filepath.Dir(conf), master.port, n/2+1)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(context.Background(), "redis-server", conf, "--sentinel")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		})
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		c := goredis.NewSentinelClient(&goredis.Options{Addr: addr, MaxRetries: -1})
		await(t, "the sentinel knows the replica and the others", func() bool {
			replicas, err := c.Replicas(t.Context(), "im").Result()
			others, err2 := c.Sentinels(t.Context(), "im").Result()
			return err == nil && err2 == nil && len(replicas) == 1 && len(others) == n-1
		})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return addrs
}

// TestSentinel kills the master of a Redis with sentinels: the nodes find the new one, what was acknowledged and replicated
// is there, and they go on, when the old one is back as a replica too.
func TestSentinel(t *testing.T) {
	master := newRealRedis(t)
	replica := newRealRedis(t, "--replicaof", "127.0.0.1 "+master.port)
	w := newWorld(t, "")
	w.cfg.Addrs, w.cfg.Master = sentinels(t, 3, master), "im"
	a, b := w.start("a", "1"), w.start("b", "1")
	for _, n := range []*testNode{a, b} {
		await(t, "Redis is there", n.Ready)
		n.follow("r:1")
		if err := renewed(n); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	say := func(n *testNode) cluster.Receipt {
		id := fmt.Sprint("m", len(want))
		want = append(want, id)
		return n.say("r:1", id)
	}
	for i := range 50 {
		say([]*testNode{a, b}[i%2])
	}
	direct := goredis.NewClient(&goredis.Options{Addr: master.addr()})
	await(t, "the replica has all", func() bool { return direct.Wait(t.Context(), 1, 0).Val() == 1 })
	if err := direct.Close(); err != nil {
		t.Fatal(err)
	}
	master.kill()
	for _, n := range []*testNode{a, b} {
		await(t, "the new master takes messages", func() bool { return say(n).Offset > 0 }) // into the journal, before
	}
	for i := range 20 {
		say([]*testNode{a, b}[i%2])
	}
	await(t, "all is in the topic", func() bool { return a.Ready() && b.Ready() && len(a.ids("r:1")) == len(want) })
	seen := map[string]bool{}
	for _, id := range a.ids("r:1") {
		seen[id] = true
	}
	for _, id := range want {
		if !seen[id] {
			t.Errorf("%s was acknowledged and is not there", id)
		}
	}
	for _, n := range []*testNode{a, b} {
		if err := renewed(n); err != nil {
			t.Errorf("after the fail-over: %v", err)
		}
	}
	master.start() // as a replica, as soon as the sentinels have told it
	to := goredis.NewClient(&goredis.Options{Addr: master.addr(), MaxRetries: -1})
	defer func() { _ = to.Close() }()
	await(t, "the old master follows the new one", func() bool {
		info := to.Info(t.Context(), "replication").Val()
		return strings.Contains(info, "role:slave") && strings.Contains(info, "master_link_status:up") && strings.Contains(info, "master_port:"+replica.port)
	})
	say(b)
	await(t, "all is in the topic still", func() bool { return len(a.ids("r:1")) == len(want) })
}
