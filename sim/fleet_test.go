package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"imwatch/event"
	imserver "imwatch/im-server"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers are real IM servers of a test, which a scenario may stop and start.
type servers struct {
	t     *testing.T
	mu    sync.Mutex
	nodes []*server
}

type server struct {
	name, addr, log string
	stop            context.CancelFunc
	ended           chan error
}

const (
	pingEvery = time.Second
	giveUp    = 3 * pingEvery
)

func startServers(t *testing.T, n int) *servers {
	t.Helper()
	s := &servers{t: t}
	for i := range n {
		name := fmt.Sprintf("im-%d", i+1)
		s.nodes = append(s.nodes, &server{name: name, addr: "127.0.0.1:0", log: filepath.Join(t.TempDir(), name+".log")})
		if err := s.Start(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for i := range s.nodes {
			if err := s.Stop(context.Background(), i, false); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// Start implements sim.NodeController.
func (s *servers) Start(ctx context.Context, node int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	cfg := imserver.DefaultConfig()
	cfg.Node, cfg.OpsAddr, cfg.JWT, cfg.Log.Path = n.name, "", jwtConfig(), n.log
	cfg.Heartbeat = imserver.HeartbeatConfig{Interval: pingEvery, Timeout: giveUp, MaxMissed: 3}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", n.addr)
	if err != nil {
		return err
	}
	n.addr = l.Addr().String()
	srv, err := imserver.New(cfg, imserver.Deps{Listener: l})
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(context.Background())
	n.stop, n.ended = stop, make(chan error, 1)
	go func() { n.ended <- srv.Run(runCtx) }()
	return nil
}

// Stop implements sim.NodeController; stopping twice is nothing.
func (s *servers) Stop(_ context.Context, node int, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n.stop == nil {
		return nil
	}
	n.stop()
	n.stop = nil
	return <-n.ended
}

func (s *servers) targets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var urls []string
	for _, n := range s.nodes {
		urls = append(urls, "ws://"+n.addr+"/ws/connect")
	}
	return urls
}

// events reads what the servers wrote; all must have been stopped.
func (s *servers) events() []*event.Event {
	s.t.Helper()
	var all []*event.Event
	for _, n := range s.nodes {
		b, err := os.ReadFile(n.log)
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			e := new(event.Event)
			if err := event.Decode(bytes.TrimSpace(line), e); err != nil {
				s.t.Fatalf("%s: %v", n.log, err)
			}
			all = append(all, e)
		}
	}
	return all
}
