package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// secret signs tokens.
const secret = "a secret for benches and nothing else, 32 bytes or more"

// node is one imwatch im-server, through all its restarts.
type node struct {
	name   string
	addr   string // of clients
	ops    string
	dir    string
	config string
	b      *bench

	ready atomic.Bool // by its /readyz
	p     *process
}

// process is a running program.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error
}

func launch(out string, args ...string) (*process, error) {
	f, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &process{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})} //nolint:gosec,noctx // ended by signals
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// end sends a signal and waits for the end.
func (p *process) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// newNode writes the configuration. redis is host:port; "": it stands alone.
func (b *bench) newNode(i int, redis string) (*node, error) {
	n := &node{name: "im-" + strconv.Itoa(i+1), b: b}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	n.addr, n.ops, n.dir = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1], filepath.Join(b.dir, n.name)
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	key := filepath.Join(b.dir, "secret")
	var c bytes.Buffer
	fmt.Fprintf(&c, "im_server:\n  addr: %s\n  ops_addr: %s\n  node: %s\n", n.addr, n.ops, n.name)
	fmt.Fprintf(&c, "  jwt: {keys: [{id: \"\", algorithm: HS256, secret: \"file:%s\"}]}\n", key)
	fmt.Fprintf(&c, "  log: {path: %q, keep: 0}\n", filepath.Join(n.dir, "events.log"))
	if !strings.Contains(b.extra, "limits:") {
		c.WriteString("  limits: " + limits + "\n")
	}
	if !strings.Contains(b.extra, "sessions:") {
		c.WriteString("  sessions: " + keeping + "\n")
	}
	if redis != "" {
		fmt.Fprintf(&c, clusterConfig, redis, filepath.Join(n.dir, "journal"), b.lease())
	}
	for line := range strings.Lines(b.extra) {
		c.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	n.config = filepath.Join(n.dir, "imwatch.yaml")
	return n, errors.Join(os.WriteFile(key, []byte(secret), 0o600), os.WriteFile(n.config, c.Bytes(), 0o600))
}

// limits lets all clients come from one address.
const limits = "{connect_rate: 0, user_connect_rate: 0, handshakes: 0, address_handshakes: 0, message_rate: 0}"

// keeping keeps what comes for a user while Redis is killed again and again: more than the 1,000 messages of the default.
const keeping = "{keep: {messages: 50000}}"

// clusterConfig makes nodes one cluster.
const clusterConfig = "  redis: {addrs: [%q], journal: %q, lease: %v}\n"

// shortLease is that of nodes that are stopped now and then for about as long.
const shortLease = 3 * time.Second

// lease is that of a node: one that stands still for longer is dead to the others.
func (b *bench) lease() time.Duration {
	if b.harsh {
		return shortLease
	}
	return 10 * time.Second
}

func (n *node) start(ctx context.Context) (err error) {
	if n.p, err = launch(filepath.Join(n.dir, "output"), n.b.program, "im-server", "--config", n.config); err != nil {
		return err
	}
	return until(ctx, time.Minute, n.name+" is ready", func() error {
		select {
		case <-n.p.done:
			out, _ := os.ReadFile(filepath.Join(n.dir, "output"))
			return final{fmt.Errorf("it ended: %w\n%s", n.p.err, out[max(0, len(out)-2000):])}
		default:
		}
		_, err := n.get(ctx, "/readyz")
		n.ready.Store(err == nil)
		return err
	})
}

func (n *node) end(sig syscall.Signal) {
	if n.p != nil {
		if sig == syscall.SIGKILL {
			n.ready.Store(false)
		}
		n.p.end(sig)
		n.ready.Store(false)
	}
}

// freeze stops the process until the wait is over.
func (n *node) freeze(wait func()) error {
	if err := n.p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	wait()
	return n.p.cmd.Process.Signal(syscall.SIGCONT)
}

// watch keeps what a load balancer would know.
func (n *node) watch(ctx context.Context) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			asking, cancel := context.WithTimeout(ctx, time.Second)
			_, err := n.get(asking, "/readyz")
			cancel()
			n.ready.Store(err == nil)
		case <-ctx.Done():
			return
		}
	}
}

func (n *node) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.ops+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return string(body), err
}

// final is an error that waiting does not mend.
type final struct{ error }

// until waits for a condition.
func until(ctx context.Context, limit time.Duration, what string, condition func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if f, ok := errors.AsType[final](err); ok {
			return fmt.Errorf("waiting until %s: %w", what, f.error)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain until %s: %w", limit, what, err)
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// pause waits; false: the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
