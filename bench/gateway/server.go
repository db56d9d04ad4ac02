package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// peer is a server to be measured.
type peer struct {
	name    string
	dialect dialect
	program string
	// configure writes what the program needs into dir and gives its arguments. The clients' address, and pprof's.
	configure func(dir string, port, ops int) (args []string, ready, pprof string, err error)
}

// server is a running peer, with a folder of its own.
type server struct {
	peer               *peer
	cmd                *exec.Cmd
	done               chan error
	addr, ready, pprof string
	dir                string
	profile            string // file that a CPU profile of the messages' first seconds goes to; "": none
}

// start runs a peer on free ports, on one CPU only unless cpu is "".
func start(ctx context.Context, p *peer, cpu string) (*server, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &server{peer: p, addr: "127.0.0.1:" + strconv.Itoa(ports[0]), done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "imwatch-gateway-"); err != nil {
		return nil, err
	}
	args, ready, pprof, err := p.configure(s.dir, ports[0], ports[1])
	if err != nil {
		return nil, err
	}
	s.ready, s.pprof = ready, pprof
	args = append([]string{p.program}, args...)
	if cpu != "" {
		args = append([]string{"taskset", "-c", cpu}, args...)
	}
	s.cmd = exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // the programs to be measured; stop ends them
	out, err := os.Create(filepath.Join(s.dir, "output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.done <- s.cmd.Wait() }()
	return s, s.awaitReady(ctx)
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) awaitReady(ctx context.Context) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	limit := time.After(20 * time.Second)
	for {
		_, err := s.get(ctx, s.ready)
		if err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-limit:
			out, _ := os.ReadFile(filepath.Join(s.dir, "output"))
			return errors.Join(fmt.Errorf("%s did not get ready: %w\n%s", s.peer.name, err, out), s.stop())
		}
	}
}

// stop ends the server and puts its folder away.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGKILL) // it may have ended
	<-s.done                                  //nolint:errcheck // killed
	return os.RemoveAll(s.dir)
}

// freePorts gives ports below those that the kernel takes for the near ends of connections.
func freePorts(n int) (ports []int, err error) {
	for p := 21000 + os.Getpid()%5000; len(ports) < n && p < 32000; p++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p)) //nolint:noctx // at once
		if err != nil {
			continue
		}
		defer l.Close() // behind the loop, so that they differ
		ports = append(ports, p)
	}
	if len(ports) < n {
		return nil, errors.New("no port is free")
	}
	return ports, nil
}

// peers gives those whose programs are named.
func peers(ours, centrifugoProgram, bareProgram string) (all []*peer) {
	if ours != "" {
		all = append(all, &peer{"imwatch", imv1{}, ours, configureOurs})
	}
	if centrifugoProgram != "" {
		all = append(all, &peer{"centrifugo", centrifugo{}, centrifugoProgram, configureCentrifugo})
	}
	if bareProgram != "" {
		all = append(all, &peer{"bare", bare{}, bareProgram, configureBare})
	}
	return all
}

// configureOurs leaves everything at its defaults but what a bench from one address runs into.
func configureOurs(dir string, port, ops int) (args []string, ready, pprof string, err error) {
	at := "http://127.0.0.1:" + strconv.Itoa(ops)
	key := filepath.Join(dir, "secret")
	if err := os.WriteFile(key, []byte(secret), 0o600); err != nil {
		return nil, "", "", err
	}
	config := fmt.Sprintf(`im_server:
  addr: 127.0.0.1:%d
  ops_addr: 127.0.0.1:%d
  node: bench
  jwt: {keys: [{id: "", algorithm: HS256, secret: %q}]}
  limits: {connect_rate: 0, user_connect_rate: 0, handshakes: 0, address_handshakes: 0%s}
  log: {path: %q}
`, port, ops, "file:"+key, extraLimits, filepath.Join(dir, "im-server.log"))
	file := filepath.Join(dir, "imwatch.yaml")
	return []string{"im-server", "--config", file}, at + "/readyz", at + "/debug/pprof/", os.WriteFile(file, []byte(config), 0o600)
}

// extraLimits are further limits that a bench from one address, with few users, runs into.
const extraLimits = ", message_rate: 0"

func configureCentrifugo(dir string, port, _ int) (args []string, ready, pprof string, err error) {
	at := "http://127.0.0.1:" + strconv.Itoa(port)
	config, err := json.Marshal(map[string]any{
		"http_server": map[string]any{"address": "127.0.0.1", "port": port},
		"client":      map[string]any{"token": map[string]any{"hmac_secret_key": secret}},
		"channel": map[string]any{"without_namespace": map[string]any{
			"allow_subscribe_for_client": true, "allow_publish_for_client": true,
		}},
		"health": map[string]any{"enabled": true},
		"debug":  map[string]any{"enabled": true},
		"log":    map[string]any{"level": "info"},
	})
	if err != nil {
		return nil, "", "", err
	}
	file := filepath.Join(dir, "config.json")
	return []string{"-c", file}, at + "/health", at + "/debug/pprof/", os.WriteFile(file, config, 0o600)
}

func configureBare(_ string, port, ops int) (args []string, ready, pprof string, err error) {
	at := "http://127.0.0.1:" + strconv.Itoa(ops)
	args = []string{"--addr", "127.0.0.1:" + strconv.Itoa(port), "--ops", "127.0.0.1:" + strconv.Itoa(ops), "--secret", secret}
	return args, at + "/debug/pprof/cmdline", at + "/debug/pprof/", nil
}
