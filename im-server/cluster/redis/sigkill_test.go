package redis

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"imwatch/im-server/cluster"
)

// childEnv makes the test's program a node: address, prefix, journal, name, start, and for each of its senders the number
// of the first message, with commas between.
const childEnv = "IMWATCH_TEST_REDIS_NODE"

const childSenders = 4

// runChild publishes until its input ends, and writes a line for each acknowledgement. Then it waits for its journal to
// be empty.
func runChild() error {
	args := strings.Split(os.Getenv(childEnv), ",")
	cfg := testConfig(args[0])
	cfg.Prefix, cfg.Journal, cfg.Timeout, cfg.Ping = args[1], args[2], 500*time.Millisecond, 20*time.Millisecond
	c, err := New(cfg, cluster.Options{Node: args[3], Boot: args[4], Keep: faultKeep}, nil)
	if err != nil {
		return err
	}
	c.Bind(&testNode{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	going, enough := context.WithCancel(ctx)
	var work sync.WaitGroup
	for s := range childSenders {
		first, err := strconv.Atoi(args[5+s])
		if err != nil {
			enough()
			stop()
			return err
		}
		work.Go(func() {
			for i := first; going.Err() == nil; {
				m := cluster.Message{Topic: "r:1", From: fmt.Sprint(args[3], "-", s), ID: strconv.Itoa(i), At: time.Now().UnixMilli(), Body: []byte("1")}
				if _, err := c.Publish(ctx, m); err == nil {
					fmt.Fprintf(os.Stdout, "%d %d\n", s, i) // one write: it is there or not
					i++
				}
			}
		})
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the input
	enough()
	work.Wait()
	for !c.Ready() || c.journal.Len() > 0 {
		pause(ctx, 10*time.Millisecond)
	}
	stop()
	return <-ended
}

// child is a node in a process of its own.
type child struct {
	t     *testing.T
	args  []string // but the numbers
	boots int
	acked [childSenders]int // messages
	cmd   *exec.Cmd
	in    io.WriteCloser
	read  sync.WaitGroup
}

func (c *child) start() {
	c.t.Helper()
	c.boots++
	args := append(append([]string{}, c.args...), strconv.Itoa(c.boots))
	for _, n := range c.acked {
		args = append(args, strconv.Itoa(n))
	}
	c.cmd = exec.CommandContext(context.Background(), os.Args[0])
	c.cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, ","))
	c.cmd.Stderr = os.Stderr
	in, errIn := c.cmd.StdinPipe()
	out, errOut := c.cmd.StdoutPipe()
	if errIn != nil || errOut != nil {
		c.t.Fatal(errIn, errOut)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.in = in
	c.read.Go(func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var s, i int
			if _, err := fmt.Sscan(lines.Text(), &s, &i); err != nil || i != c.acked[s] {
				c.t.Errorf("the node said %q, %v", lines.Text(), err)
				return
			}
			c.acked[s]++
		}
	})
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	c.read.Wait()
	_ = c.cmd.Wait() // killed
}

// end lets it finish.
func (c *child) end() {
	c.t.Helper()
	_ = c.in.Close()
	c.read.Wait()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the node ended with %v", err)
	}
}

var faultKeep = cluster.Keep{Messages: 10_000_000, Age: time.Hour, Dedupe: time.Hour, Positions: 24 * time.Hour}

// TestNothingAcknowledgedIsLostBySIGKILL kills processes, Redis' and the nodes', at any moment.
func TestNothingAcknowledgedIsLostBySIGKILL(t *testing.T) {
	redis := newRealRedis(t)
	w := newWorld(t, redis.addr())
	nodes := make([]*child, 3)
	for i := range nodes {
		name := fmt.Sprint("n", i)
		nodes[i] = &child{t: t, args: []string{redis.addr(), w.cfg.Prefix, filepath.Join(w.dir, name), name}}
		nodes[i].start()
	}
	ctx, stop := context.WithTimeout(t.Context(), faultTime())
	defer stop()
	kills, deaths := 0, 0
	for pause(ctx, time.Duration(rand.IntN(800))*time.Millisecond) {
		lost := rand.IntN(2) == 0
		if lost {
			redis.kill()
			kills++
			pause(ctx, time.Duration(rand.IntN(600))*time.Millisecond)
		}
		if rand.IntN(3) > 0 {
			n := nodes[rand.IntN(len(nodes))]
			n.kill()
			n.start()
			deaths++
		}
		if lost {
			pause(ctx, time.Duration(rand.IntN(600))*time.Millisecond)
			redis.start()
		}
	}
	total := 0
	for _, n := range nodes {
		n.end()
	}
	by := map[string]int{}
	for _, m := range w.start("reader", "1").all("r:1") {
		if m.ID != strconv.Itoa(by[m.From]) {
			t.Fatalf("message %s of %s stands where %d should", m.ID, m.From, by[m.From])
		}
		by[m.From]++
	}
	for _, n := range nodes {
		for s, acked := range n.acked {
			total += acked
			// The one under way when a node was killed may stand there without anybody having been told.
			if got := by[fmt.Sprint(n.args[3], "-", s)]; got < acked {
				t.Errorf("%s: %d messages of sender %d are acknowledged, %d stand in the topic", n.args[3], acked, s, got)
			}
		}
	}
	t.Logf("%d messages acknowledged, Redis killed %d times, nodes %d times", total, kills, deaths)
}
