package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// realRedis is a redis-server that the test kills and starts again, with each write on the disk before it is answered.
type realRedis struct {
	t    *testing.T
	dir  string
	port string
	args []string // beside its own
	cmd  *exec.Cmd
}

func newRealRedis(t *testing.T, args ...string) *realRedis {
	t.Helper()
	if os.Getenv("IMWATCH_TEST_REDIS") == "" {
		t.Skip("IMWATCH_TEST_REDIS is not set: the test starts a redis-server of its own, where one is installed")
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	r := &realRedis{t: t, dir: t.TempDir(), port: port, args: args}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *realRedis) addr() string { return "127.0.0.1:" + r.port }

// start returns when it answers.
func (r *realRedis) start() {
	r.t.Helper()
	r.cmd = exec.CommandContext(context.Background(), "redis-server", append([]string{
		"--port", r.port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--logfile", filepath.Join(r.dir, "log"),
	}, r.args...)...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Addr: r.addr(), MaxRetries: -1})
	defer func() { _ = c.Close() }()
	await(r.t, "redis-server answers", func() bool { return c.Ping(context.Background()).Err() == nil })
}

func (r *realRedis) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait() // killed
		r.cmd = nil
	}
}

// sender publishes one message after the other on one node, each until it is acknowledged, some twice.
type sender struct {
	name  string
	node  *atomic.Pointer[testNode]
	acked []string // their ids, in order
}

func (s *sender) run(ctx context.Context, t *testing.T) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(len(s.name)), uint64(s.name[len(s.name)-1])))
	for i := 0; ctx.Err() == nil; i++ {
		m := cluster.Message{Topic: "r:1", From: s.name, ID: strconv.Itoa(i), Body: []byte(strconv.Itoa(i))}
		for again := rnd.IntN(10) == 0; ; again = false {
			n := s.node.Load()
			m.At = time.Now().UnixMilli()
			// Until it is acknowledged the sender goes on with it, after the end of the test too.
			_, err := n.Publish(context.Background(), m)
			switch {
			case err == nil && !again:
				s.acked = append(s.acked, m.ID)
			case err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, cluster.ErrClosed):
				t.Errorf("%s: %v", s.name, err)
				return
			}
			if err == nil && !again {
				break
			}
			pause(ctx, time.Duration(rnd.IntN(3))*time.Millisecond)
		}
	}
}

// TestNothingAcknowledgedIsLost kills Redis and nodes while clients publish. A killed node is started again with its
// journal.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	redis := newRealRedis(t)
	w := newWorld(t, redis.addr())
	w.cfg.Timeout = 500 * time.Millisecond
	w.keep = faultKeep
	var nodes [3]atomic.Pointer[testNode]
	boot := 0
	start := func(i int) {
		boot++
		nodes[i].Store(w.start(fmt.Sprint("n", i), fmt.Sprint(boot)))
		nodes[i].Load().follow("r:1")
	}
	for i := range nodes {
		start(i)
	}
	ctx, stop := context.WithTimeout(t.Context(), faultTime())
	defer stop()
	var work sync.WaitGroup
	senders := make([]*sender, 9)
	for i := range senders {
		senders[i] = &sender{name: fmt.Sprint("u", i), node: &nodes[i%len(nodes)]}
		work.Go(func() { senders[i].run(ctx, t) })
	}
	kills, deaths := 0, 0
	for pause(ctx, time.Duration(rand.IntN(1200))*time.Millisecond) {
		switch rand.IntN(3) {
		case 0:
			i := rand.IntN(len(nodes))
			nodes[i].Load().stop()
			start(i)
			deaths++
		default:
			redis.kill()
			pause(ctx, time.Duration(rand.IntN(800))*time.Millisecond)
			if rand.IntN(2) == 0 { // while Redis is lost
				i := rand.IntN(len(nodes))
				nodes[i].Load().stop()
				start(i)
				deaths++
			}
			redis.start()
			kills++
		}
	}
	work.Wait()
	for i := range nodes {
		n := nodes[i].Load()
		await(t, "the journal is empty", func() bool { return n.Ready() && n.journal.Len() == 0 })
	}
	check(t, nodes[0].Load(), senders, kills, deaths)
}

func check(t *testing.T, n *testNode, senders []*sender, kills, deaths int) {
	t.Helper()
	messages := n.all("r:1")
	by := map[string][]string{}
	for i, m := range messages {
		if m.Offset != int64(i+1) {
			t.Fatalf("message %d has the offset %d", i+1, m.Offset)
		}
		by[m.From] = append(by[m.From], m.ID)
	}
	total := 0
	for _, s := range senders {
		total += len(s.acked)
		if !slices.Equal(by[s.name], s.acked) {
			t.Errorf("%s: %d messages are acknowledged, %d stand in the topic, %s", s.name, len(s.acked), len(by[s.name]), firstDifference(s.acked, by[s.name]))
		}
	}
	t.Logf("%d messages acknowledged, Redis killed %d times, nodes %d times", total, kills, deaths)
	// What a node handed out is what stands in the topic, each number the same message.
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.got {
		if m.Offset > 0 && (m.ID != messages[m.Offset-1].ID || m.From != messages[m.Offset-1].From) {
			t.Fatalf("handed out as %d: %s of %s, but there stands %+v", m.Offset, m.ID, m.From, messages[m.Offset-1])
		}
	}
}

// all reads a whole topic.
func (n *testNode) all(topic string) (list []cluster.Message) {
	n.t.Helper()
	for {
		page, err := n.Read(context.Background(), topic, int64(len(list)), 1000)
		if err != nil {
			n.t.Fatal(err)
		}
		if len(page.Messages) == 0 {
			return list
		}
		list = append(list, page.Messages...)
	}
}

// faultTime is how long the tests of faults go on.
func faultTime() time.Duration {
	if s, err := strconv.Atoi(os.Getenv("IMWATCH_TEST_REDIS_SECONDS")); err == nil {
		return time.Duration(s) * time.Second
	}
	return 10 * time.Second
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("at %d: %s and %s", i, a[i], b[i])
		}
	}
	return "one is longer"
}
