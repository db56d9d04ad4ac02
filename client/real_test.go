package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/client"
	imserver "imwatch/im-server"
	"imwatch/im-server/protocol"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// trusting takes a token for the name of its user.
type trusting struct{}

func (trusting) Authenticate(_ context.Context, c imserver.Credentials) (imserver.Identity, error) {
	return imserver.Identity{UserID: c.Token}, nil
}

// site is a real server that is reached by pipes, and can be reached no more.
type site struct {
	*pipes
	stop    func()
	metrics *prometheus.Registry // of the server

	mu    sync.Mutex
	conns []net.Conn
	away  bool
}

func realServer(t *testing.T) *site {
	t.Helper()
	cfg := imserver.DefaultConfig()
	cfg.OpsAddr, cfg.Node, cfg.Limits.ConnectRate = "", "im-test", 0
	cfg.Compression = imserver.CompressionConfig{Enabled: true, MinBytes: 1}
	cfg.JWT.Keys = []imserver.JWTKey{{Algorithm: "HS256", Secret: strings.Repeat("s", 32)}}
	cfg.Log.Path = filepath.Join(t.TempDir(), "im.log")
	s := &site{pipes: newPipes(), metrics: prometheus.NewRegistry()}
	srv, err := imserver.New(cfg, imserver.Deps{Listener: s.pipes, Authenticator: trusting{}, Stdout: io.Discard, Registerer: s.metrics, Gatherer: s.metrics})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// counter gives a counter of the server by the values of its labels.
func (s *site) counter(t *testing.T, name string, values ...string) float64 {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var has []string
			for _, l := range m.GetLabel() {
				has = append(has, l.GetValue())
			}
			if slices.Equal(has, values) {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s %q", name, values)
	return 0
}

func (s *site) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away {
		return nil, errors.New("no route")
	}
	c, err := s.pipes.dial(ctx, network, address)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
	return c, err
}

// cut ends all connections without a word.
func (s *site) cut(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

// friend is a client and what it has received.
type friend struct {
	*client.Client
	mu   sync.Mutex
	got  []string
	gaps []client.Gap
	seen []protocol.Presence
	ups  []protocol.Hello
}

func (s *site) friend(t *testing.T, user string, change func(*client.Options)) *friend {
	t.Helper()
	f := &friend{}
	o := client.Options{
		URL: address, NetDial: s.dial, Device: "d-" + user, Token: func(context.Context) (string, error) { return user, nil },
		Handler: client.Handler{
			Message: func(m protocol.Message, _ protocol.Envelope) {
				f.note(func() { f.got = append(f.got, m.From+string(m.Body)+string(m.Data)) })
			},
			Gap:      func(g client.Gap) { f.note(func() { f.gaps = append(f.gaps, g) }) },
			Presence: func(p protocol.Presence) { f.note(func() { f.seen = append(f.seen, p) }) },
			State: func(s client.State) {
				if s.Connected {
					f.note(func() { f.ups = append(f.ups, s.Hello) })
				}
			},
		},
	}
	if change != nil {
		change(&o)
	}
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f.Client = c
	return f
}

func (f *friend) note(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
}

func (f *friend) received() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func bye(t *testing.T, list ...*friend) {
	t.Helper()
	for _, f := range list {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func number(n int) json.RawMessage { return json.RawMessage(fmt.Sprint(n)) }

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// A session goes on after a loss: what came meanwhile is there, and nothing twice.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, codec := range protocol.Codecs() {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, first frame %v", codec.Name(), first), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := realServer(t)
					ann := s.friend(t, "ann", func(o *client.Options) { o.Codec, o.FirstFrame, o.Compress = codec, first, true })
					bob := s.friend(t, "bob", nil)
					for _, f := range []*friend{ann, bob} {
						if err := f.Join("r"); err != nil {
							t.Error(err)
						}
					}
					pass(time.Second)
					for i := range 30 {
						p := protocol.Publish{Room: "r", Body: number(i)}
						if i%3 == 0 {
							p = protocol.Publish{To: "ann", Data: []byte(fmt.Sprint(i))}
						}
						if i == 20 { // only ann is lost for a while
							s.mu.Lock()
							_ = s.conns[0].Close()
							s.mu.Unlock()
						}
						if _, err := bob.Publish(t.Context(), p); err != nil {
							t.Error(err)
						}
					}
					pass(20 * time.Second)
					want := make([]string, 30)
					for i := range want {
						want[i] = fmt.Sprintf("bob%d", i)
					}
					if diff := cmp.Diff(want, ann.received()); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					if len(ann.ups) != 2 || !ann.ups[1].Resumed || ann.ups[1].SessionID != ann.ups[0].SessionID || len(ann.gaps) != 0 {
						t.Errorf("%+v, %+v", ann.ups, ann.gaps)
					}
					bye(t, ann, bob)
					s.stop()
				})
			})
		}
	}
}

// A session that is gone is a gap that is told, and the client is whole again after it.
func TestGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := realServer(t)
		ann, bob := s.friend(t, "ann", nil), s.friend(t, "bob", nil)
		if err := errors.Join(ann.Join("r"), bob.Join("r")); err != nil {
			t.Error(err)
		}
		s.cut(true)
		pass(10 * time.Minute) // sessions are kept for five
		s.mu.Lock()
		s.away = false
		s.mu.Unlock()
		pass(2 * time.Minute)
		if _, err := bob.Publish(t.Context(), protocol.Publish{Room: "r", Body: number(1)}); err != nil {
			t.Error(err)
		}
		pass(time.Second)
		if diff := cmp.Diff([]client.Gap{{Reason: "unknown_session"}}, ann.gaps); diff != "" || len(ann.received()) != 1 {
			t.Errorf("received %v; (-want +got):\n%s", ann.received(), diff)
		}
		bye(t, ann, bob)
		s.stop()
	})
}

// Whenever the connections are cut, what was acknowledged arrives once and in order.
func TestCuts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		pauses := rapid.SliceOfN(rapid.IntRange(0, 3000), 1, 40).Draw(rt, "pauses in ms; a cut after each fifth")
		pipeline := rapid.SampledFrom([]int{1, 8}).Draw(rt, "pipeline")
		synctest.Test(t, func(t *testing.T) {
			s := realServer(t)
			ann := s.friend(t, "ann", nil)
			bob := s.friend(t, "bob", func(o *client.Options) { o.Pipeline = pipeline })
			var want []string
			for i, ms := range pauses {
				for j := range 3 {
					body := number(i*10 + j)
					if _, err := bob.SendTo("ann", body); err != nil {
						t.Error(err)
					}
					want = append(want, "bob"+string(body))
				}
				if i%5 == 4 {
					s.cut(false)
				}
				pass(time.Duration(ms) * time.Millisecond)
			}
			if err := bob.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			pass(2 * time.Minute)
			if diff := cmp.Diff(want, ann.received()); diff != "" || bob.Queued() != 0 {
				rt.Errorf("%d are queued; received (-want +got):\n%s", bob.Queued(), diff)
			}
			bye(t, ann, bob)
			s.stop()
		})
	})
}

// What was taken while there was no server goes out with the next process.
func TestQueueOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue")
	synctest.Test(t, func(t *testing.T) {
		s := realServer(t)
		s.cut(true)
		offline := func(o *client.Options) { o.Queue, o.Persist = path, true }
		bob := s.friend(t, "bob", offline)
		for i := range 3 {
			if _, err := bob.SendTo("ann", number(i)); err != nil {
				t.Error(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := bob.Publish(ctx, protocol.Publish{To: "ann", Body: number(3)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("published into the void: %v", err)
		}
		var told error
		if _, err := bob.Send(protocol.Publish{To: "ann", Body: number(4)}, func(_ protocol.Ack, err error) { told = err }); err != nil {
			t.Error(err)
		}
		if _, err := bob.Send(protocol.Publish{To: "ann"}, nil); err == nil || !strings.Contains(err.Error(), "body") {
			t.Errorf("a message without content: %v", err)
		}
		bye(t, bob)
		if !errors.Is(told, client.ErrClosed) {
			t.Errorf("told %v", told)
		}
		s.away = false
		ann := s.friend(t, "ann", nil)
		bob = s.friend(t, "bob", offline)
		if err := bob.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{"bob0", "bob1", "bob2", "bob3", "bob4"}, ann.received()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		bye(t, ann, bob)
		s.stop()
	})
}

func TestPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := realServer(t)
		ann := s.friend(t, "ann", nil)
		phone := s.friend(t, "bob", func(o *client.Options) { o.Device, o.Platform = "phone", "ios" })
		states, err := ann.Watch(t.Context(), "bob", "carl")
		if diff := cmp.Diff([]protocol.State{{User: "bob", Online: true, Devices: 1}, {User: "carl"}}, states); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		s.cut(false)
		pass(10 * time.Second)
		carl := s.friend(t, "carl", nil)
		pass(time.Second)
		ann.note(func() {
			if !slices.ContainsFunc(ann.seen, func(p protocol.Presence) bool {
				return len(p.States) == 1 && p.States[0].User == "carl" && p.States[0].Online
			}) {
				t.Errorf("watching has ended with the connection: %+v", ann.seen)
			}
		})
		if err := errors.Join(ann.Join("r"), carl.Join("r")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		room, err := ann.RoomPresence(t.Context(), "r")
		if room.Count != 2 || err != nil {
			t.Errorf("%+v, %v", room, err)
		}
		desk := s.friend(t, "bob", func(o *client.Options) { o.Device = "desk" })
		devices, err := desk.Devices(t.Context())
		if err != nil || len(devices) != 2 {
			t.Errorf("%+v, %v", devices, err)
		}
		if n, err := desk.Kick(t.Context(), protocol.Kick{Device: "phone"}); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		<-phone.Done()
		var ce *client.CloseError
		if err := phone.Err(); !errors.As(err, &ce) || ce.Reason != "kicked" {
			t.Errorf("kicked: %v", err)
		}
		var refused *client.RefusedError
		if _, err := desk.RoomPresence(t.Context(), "r"); !errors.As(err, &refused) || refused.Code != protocol.CodeNotMember {
			t.Errorf("%v", err)
		}
		if _, err := desk.Publish(t.Context(), protocol.Publish{Room: "r", Body: number(1)}); !errors.As(err, &refused) || refused.Code != protocol.CodeNotMember || desk.Queued() != 0 {
			t.Errorf("%v", err)
		}
		if _, err := phone.Devices(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("%v", err)
		}
		bye(t, ann, carl, desk)
		s.stop()
	})
}

// A handler may wait for what the client receives.
func TestHandlerPublishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := realServer(t)
		var echo *client.Client
		ready := make(chan struct{})
		robot := s.friend(t, "robot", func(o *client.Options) {
			o.Handler.Message = func(m protocol.Message, _ protocol.Envelope) {
				<-ready
				if _, err := echo.Publish(t.Context(), protocol.Publish{To: m.From, Body: m.Body}); err != nil {
					t.Error(err)
				}
			}
		})
		echo = robot.Client
		close(ready)
		ann := s.friend(t, "ann", nil)
		for i := range 50 {
			if _, err := ann.SendTo("robot", number(i)); err != nil {
				t.Error(err)
			}
		}
		pass(time.Second)
		if n := len(ann.received()); n != 50 {
			t.Errorf("%d answers", n)
		}
		bye(t, robot, ann)
		s.stop()
	})
}
