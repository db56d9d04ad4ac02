package imserver

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus/hooks/test"

	"imwatch/event"
)

// TestDrainIsSpread: no ping comes any more, connections end one after another with different hints, and what is left is
// told each second.
func TestDrainIsSpread(t *testing.T) {
	t.Parallel()
	log, said := test.NewNullLogger()
	bubbleWith(t, func(c *Config) {
		c.Drain = DrainConfig{Delay: 5 * time.Second, Timeout: 60 * time.Second, Rate: 2, RetryMin: time.Second, RetryMax: 10 * time.Second}
		c.Heartbeat.Interval, c.Heartbeat.Timeout = time.Second, 3*time.Second
	}, Deps{Log: log, NewCluster: together().NewCluster}, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		const n = 20
		var mu sync.Mutex
		var closes []time.Duration
		hints := map[int64]bool{}
		var began time.Time
		var wg sync.WaitGroup
		for range n {
			ws := dial("u-1")
			ws.SetPingHandler(func(text string) error {
				mu.Lock()
				defer mu.Unlock()
				if !began.IsZero() && time.Since(began) > 5*time.Second {
					t.Error("a ping came in the drain")
				}
				return ws.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Second))
			})
			wg.Go(func() {
				_, _, err := ws.ReadMessage()
				_ = ws.Close()
				mu.Lock()
				defer mu.Unlock()
				var ce *websocket.CloseError
				if !errors.As(err, &ce) || ce.Code != event.CloseDrain.Code {
					t.Errorf("ended with %v", err)
					return
				}
				var text struct {
					RetryMS int64 `json:"retry_ms"`
				}
				if err := json.Unmarshal([]byte(ce.Text), &text); err != nil || text.RetryMS < 1000 || text.RetryMS > 10_000 {
					t.Errorf("the hint is %q", ce.Text)
				}
				hints[text.RetryMS] = true
				closes = append(closes, time.Since(began))
			})
		}
		pass(3 * time.Second)
		mu.Lock()
		began = time.Now()
		mu.Unlock()
		f.stop()
		wg.Wait()
		slices.Sort(closes)
		if len(closes) != n || closes[0] < 5*time.Second || closes[n-1]-closes[0] < (n-2)*time.Second/2 {
			t.Errorf("%d closes at %v", len(closes), closes)
		}
		if len(hints) < n/2 {
			t.Errorf("the hints are %v", hints)
		}
		stats := f.log.all(event.ActionConnectionStats)
		last := stats[len(stats)-1]
		if label(last, "drain_left") != "0" || label(last, "drain_total") != "20" || label(stats[0], "drain_total") != "20" {
			t.Errorf("%s", last.AppendJSON(nil))
		}
		told := 0
		for _, e := range said.AllEntries() {
			if e.Message == "draining" && e.Data["of"] == int64(n) {
				told++
			}
		}
		if told < 10 {
			t.Errorf("the drain was told %d times", told)
		}
	})
}

// TestANodeAloneGoesAtOnce: where nobody else can take its clients a node does not keep them from the next process: it
// listens no more, and closes all of them soon.
func TestANodeAloneGoesAtOnce(t *testing.T) {
	t.Parallel()
	bubbleWith(t, func(c *Config) {
		c.Drain = DrainConfig{Timeout: 60 * time.Second, Rate: 2, RetryMin: time.Second, RetryMax: 3 * time.Second}
	}, Deps{}, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		var ends []<-chan ended
		for range 100 {
			ends = append(ends, readOn(dial("u-1")))
		}
		began := time.Now()
		stopped := make(chan struct{})
		go func() { f.stop(); close(stopped) }()
		f.log.action(t, event.ActionServerDrain)
		synctest.Wait()
		if c, err := f.listener.Accept(); err == nil {
			t.Error("it still listens")
			_ = c.Close()
		}
		for _, end := range ends {
			var ce *websocket.CloseError
			if err := (<-end).err; !errors.As(err, &ce) || ce.Code != event.CloseDrain.Code || !strings.Contains(ce.Text, `"fresh":true`) {
				t.Errorf("ended with %v", err)
			}
		}
		if took := time.Since(began); took > drainAlone+100*time.Millisecond {
			t.Errorf("closing took %v", took)
		}
		<-stopped
	})
}

// TestNotReadyBeforeTheFirstClose: while the delay runs the node says that it is not ready, and still takes clients.
func TestNotReadyBeforeTheFirstClose(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Drain.Delay = 300 * time.Millisecond
	f := serve(t, cfg, Deps{})
	c := f.dial("u-1")
	ready := func() (int, string) {
		res, err := http.Get("http://" + f.OpsAddr() + "/readyz") //nolint:noctx // a test
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	defer http.DefaultClient.CloseIdleConnections()
	if s, text := ready(); s != http.StatusOK {
		t.Errorf("before the drain: %d %s", s, text)
	}
	stopped := make(chan struct{})
	go func() { f.stop(); close(stopped) }()
	f.log.action(t, event.ActionServerDrain)
	if s, text := ready(); s != http.StatusServiceUnavailable || text != "draining\n" {
		t.Errorf("in the drain: %d %s", s, text)
	}
	if ce := c.closed(); ce.Code != event.CloseDrain.Code {
		t.Errorf("closed with %v", ce)
	}
	<-stopped
}

// TestLeakShows: a socket that the server has forgotten is counted, and one that speaks plain HTTP is none.
func TestLeakShows(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	f := serve(t, testConfig(t), Deps{Registerer: reg, Gatherer: reg})
	c := f.dial("u-1")
	f.dial("u-2")
	res, err := http.Get("http://" + f.Addr() + "/nothing") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	balanced := func(leaked float64) {
		t.Helper()
		late := time.Now().Add(patient)
		for {
			f.watch.countSockets()
			if f.watch.sockets.Load() < 0 {
				t.Skip("the system does not say which sockets there are")
			}
			if float64(f.watch.leaked.Load()) == leaked {
				return
			}
			if time.Now().After(late) {
				t.Fatalf("%d of %d sockets are leaked, want %v", f.watch.leaked.Load(), f.watch.sockets.Load(), leaked)
			}
		}
	}
	balanced(0)
	if f.watch.sockets.Load() < 2 {
		t.Errorf("%d sockets", f.watch.sockets.Load())
	}
	tcp, ok := f.hub.byID(c.hello.ConnectionID).nc.(*net.TCPConn)
	if !ok {
		t.Fatal("not a TCP connection")
	}
	forgotten, err := tcp.File() // a descriptor of its own for the same socket
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	f.end(c)
	balanced(1)
	_ = forgotten.Close()
	balanced(0)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP im_server_drain_left Connections that a draining node still has; 0 if it does not drain.
# TYPE im_server_drain_left gauge
im_server_drain_left 0
`), "im_server_drain_left"); err != nil {
		t.Error(err)
	}
}
