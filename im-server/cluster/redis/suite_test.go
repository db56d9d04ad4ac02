package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"imwatch/im-server/cluster"
	"imwatch/im-server/cluster/clustertest"
)

// After many failures to connect the library looks for the server in a goroutine that sees a second late that it is closed.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := runChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// testConfig is for a Redis at addr, and a cluster of its own in it.
func testConfig(addr string) Config {
	cfg := DefaultConfig()
	cfg.Addrs, cfg.Prefix, cfg.Journal = []string{addr}, "t"+rand.Text()[:8]+":", ""
	cfg.Timeout, cfg.Ping = 5*time.Second, 100*time.Millisecond
	return cfg
}

// TestMiniredis runs the suite on an imitation of Redis, whose time the test moves.
func TestMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	var at atomic.Int64
	at.Store(time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, at.Load()) }
	server.SetTime(now())
	clustertest.Run(t, func(keep cluster.Keep) clustertest.Space {
		server.FlushAll()
		cfg := testConfig(server.Addr())
		return clustertest.Space{
			Late: true,
			Now:  now,
			Advance: func(d time.Duration) {
				at.Add(int64(d))
				server.SetTime(now())
				server.FastForward(d)
			},
			Node: func(node, boot string) (cluster.Cluster, error) {
				return New(cfg, cluster.Options{Node: node, Boot: boot, Keep: keep, Now: now}, nil)
			},
		}
	})
}

// TestRedis runs it on the real one.
func TestRedis(t *testing.T) {
	addr := os.Getenv("IMWATCH_TEST_REDIS")
	if addr == "" {
		t.Skip("IMWATCH_TEST_REDIS is not set: HOST:PORT of a Redis server")
	}
	dir := t.TempDir()
	clustertest.Run(t, func(keep cluster.Keep) clustertest.Space {
		cfg := testConfig(addr)
		t.Cleanup(func() { wipe(t, cfg) })
		return clustertest.Space{Late: true, Node: func(node, boot string) (cluster.Cluster, error) {
			cfg := cfg
			cfg.Journal = filepath.Join(dir, cfg.Prefix+node+boot)
			return New(cfg, cluster.Options{Node: node, Boot: boot, Keep: keep}, nil)
		}}
	})
}

// TestRedisCluster runs it on three servers that share the slots.
func TestRedisCluster(t *testing.T) {
	servers := make([]*realRedis, 3)
	args := []string{"--cluster", "create"}
	var addrs []string
	for i := range servers {
		servers[i] = newRealRedis(t, "--cluster-enabled", "yes")
		addrs = append(addrs, servers[i].addr())
	}
	args = append(append(args, addrs...), "--cluster-yes")
	if out, err := exec.CommandContext(t.Context(), "redis-cli", args...).CombinedOutput(); err != nil {
		t.Fatalf("making the cluster: %v\n%s", err, out)
	}
	seeds := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: addrs})
	await(t, "all slots are served", func() bool {
		ok := true
		for i := range 64 {
			ok = ok && seeds.Set(t.Context(), fmt.Sprint(i), 1, 0).Err() == nil
		}
		return ok
	})
	if err := seeds.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	clustertest.Run(t, func(keep cluster.Keep) clustertest.Space {
		cfg := testConfig(addrs[0])
		cfg.Addrs = addrs
		return clustertest.Space{Late: true, Node: func(node, boot string) (cluster.Cluster, error) {
			cfg := cfg
			cfg.Journal = filepath.Join(dir, cfg.Prefix+node+boot)
			return New(cfg, cluster.Options{Node: node, Boot: boot, Keep: keep}, nil)
		}}
	})
}

// wipe takes a test's keys out of a Redis that others may use too.
func wipe(tb testing.TB, cfg Config) {
	tb.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: cfg.Addrs[0], Password: cfg.Password})
	defer func() { _ = c.Close() }()
	ctx := context.Background() // the test's own has ended
	keys := c.Scan(ctx, 0, cfg.Prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		c.Del(ctx, keys.Val())
	}
}
