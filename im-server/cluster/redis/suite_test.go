package redis

import (
	"context"
	"crypto/rand"
	"os"
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
			Now: now,
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
		return clustertest.Space{Node: func(node, boot string) (cluster.Cluster, error) {
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
