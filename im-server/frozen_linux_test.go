package imserver

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gorilla/websocket"
	goredis "github.com/redis/go-redis/v9"

	"imwatch/event"
)

// pair is two nodes in processes of their own that share a Redis: the real one where there is one.
type pair struct {
	t      *testing.T
	redis  string
	prefix string
	dir    string
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, redis: os.Getenv("IMWATCH_TEST_REDIS"), prefix: "t" + rand.Text()[:8] + ":", dir: t.TempDir()}
	if p.redis == "" {
		p.redis = miniredis.RunT(t).Addr()
	}
	return p
}

func (p *pair) log(node string) string { return filepath.Join(p.dir, node+".log") }

func (p *pair) start(node string) *child {
	p.t.Helper()
	return startChild(p.t, p.log(node), childSharesEnv+"="+node+","+p.redis+","+p.prefix)
}

func (c *child) signal(sig syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.t.Error(err)
	}
}

// freeze stops the process, and returns when it stands still.
func (c *child) freeze() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	for {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
		if err != nil {
			c.t.Fatal(err)
		}
		if _, state, _ := bytes.Cut(b, []byte(") ")); len(state) > 0 && state[0] == 'T' {
			return
		}
	}
}

func (c *child) end() {
	c.t.Helper()
	c.signal(syscall.SIGTERM)
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the child ended with %v", err)
	}
}

// guests connects so many clients and reads their hellos.
func (c *child) guests(n int) (list []*websocket.Conn) {
	c.t.Helper()
	for i := range n {
		ws := c.dial(fmt.Sprintf("u-%d", i))
		if _, _, err := ws.ReadMessage(); err != nil {
			c.t.Fatal(err)
		}
		list = append(list, ws)
	}
	c.kept = append(c.kept, list...)
	return list
}

// orphans gives the ends that a node has written for others, or itself after the fact, by event id.
func (p *pair) orphans(node string) map[string]time.Time {
	p.t.Helper()
	ends := map[string]time.Time{}
	for _, ev := range readLog(p.t, p.log(node)) {
		if ev.Action() == event.ActionOrphaned.Code {
			ends[ev.ID()] = ev.Time()
		}
	}
	return ends
}

func (p *pair) awaitOrphans(node string, n int) map[string]time.Time {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.Now().Add(patient)
	for {
		ends := p.orphans(node)
		if len(ends) >= n {
			return ends
		}
		if time.Now().After(limit) {
			p.t.Fatalf("%s wrote %d of %d ends", node, len(ends), n)
		}
		<-tick.C
	}
}

// check wants one end for each start in both logs, whose documents are known by their ids, and the same document wherever
// two wrote it.
func (p *pair) check() {
	p.t.Helper()
	byID := map[string]*event.Event{}
	starts, ends := map[string]int{}, map[string]int{}
	events := append(readLog(p.t, p.log("one")), readLog(p.t, p.log("two"))...)
	slices.SortStableFunc(events, func(a, b *event.Event) int { return cmp.Compare(a.ID(), b.ID()) })
	for _, ev := range events {
		if twin := byID[ev.ID()]; twin != nil {
			if !twin.Time().Equal(ev.Time()) || twin.Text(event.FieldEventDuration) != ev.Text(event.FieldEventDuration) {
				p.t.Errorf("two documents of one id:\n%s\n%s", twin.AppendJSON(nil), ev.AppendJSON(nil))
			}
			continue
		}
		byID[ev.ID()] = ev
		switch id := ev.Text(event.FieldConnID); ev.Action() {
		case event.ActionConnect.Code:
			starts[id]++
		case event.ActionDisconnect.Code, event.ActionOrphaned.Code:
			ends[id]++
		}
	}
	for id := range starts {
		if starts[id] != 1 || ends[id] != 1 {
			p.t.Errorf("connection %s has %d starts and %d ends", id, starts[id], ends[id])
		}
	}
	if len(starts) != len(ends) {
		p.t.Errorf("%d connections have a start and %d an end", len(starts), len(ends))
	}
}

// TestFrozenNode stops a node for longer than its lease. The other writes the ends of its connections; when it goes on it
// has none of them any more, and writes nothing else of them, whether their clients have gone or not.
func TestFrozenNode(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	one, two := p.start("one"), p.start("two")
	two.guests(3)
	guests := one.guests(20)
	told(t, p, 20)
	one.freeze()
	for _, ws := range guests[:10] {
		_ = ws.NetConn().Close() // the node finds out as soon as it goes on
	}
	p.awaitOrphans("two", 20)
	one.signal(syscall.SIGCONT)
	for _, ws := range guests[10:] {
		_ = ws.SetReadDeadline(time.Now().Add(3 * patient))
		_, _, err := ws.ReadMessage()
		if _, closed := err.(*websocket.CloseError); err == nil || os.IsTimeout(err) || closed && !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) { //nolint:errorlint // it is never wrapped
			t.Errorf("a connection that others have ended: %v", err)
		}
	}
	one.guests(5) // it serves
	one.end()
	two.end()
	p.check()
}

// told waits until a node's connections are known to the other: those that it holds would be ended if it died.
func told(t *testing.T, p *pair, n int64) {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: p.redis})
	defer func() { _ = c.Close() }()
	limit := time.Now().Add(patient)
	for sum := int64(0); sum < n; {
		sum = 0
		keys, err := c.Keys(t.Context(), p.prefix+"{n:one*}:o").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			sum += c.HLen(t.Context(), key).Val()
		}
		if time.Now().After(limit) {
			t.Fatalf("%d of %d connections are known", sum, n)
		}
	}
}

// TestKilledNodeOfTwo kills a node that starts again before its lease has run out, and one that does so after the other
// has ended its connections: whoever writes the ends, it is the same documents.
func TestKilledNodeOfTwo(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	one, two := p.start("one"), p.start("two")
	two.guests(3)
	one.guests(10)
	before := time.Now()
	one.kill()
	one = p.start("one")
	ends := p.awaitOrphans("one", 10)
	for id, at := range ends {
		if at.Before(before.Truncate(time.Millisecond)) || at.After(time.Now()) {
			t.Errorf("%s ended at %v: not between kill and start", id, at)
		}
	}
	one.guests(10)
	told(t, p, 10)
	one.kill()
	theirs := p.awaitOrphans("two", 10)
	one = p.start("one")
	ours := p.awaitOrphans("one", 20)
	for id, at := range theirs {
		if !ours[id].Equal(at) {
			t.Errorf("%s ended at %v, and at %v by its own node", id, at, ours[id])
		}
	}
	one.end()
	two.end()
	p.check()
}
