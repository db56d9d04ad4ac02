package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

const address = "ws://im.test/ws/connect"

// quick is the first bound after a loss: the server is most likely restarting.
const quick = 500 * time.Millisecond

// zero is a jitter that always draws the shortest wait; nearly one the longest.
func zero() float64      { return 0 }
func nearlyOne() float64 { return 0.999999 }

func TestSendAndReceive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			s := accept(t, w, r, 30*time.Second)
			defer s.drop()
			for {
				e, err := s.read()
				if err != nil {
					return
				}
				got = append(got, said(e))
				switch e.Type {
				case protocol.TypeEcho:
					s.send(e)
				case protocol.TypePublish:
					a := protocol.Ack{Ref: e.ID, Delivered: 1}
					s.send(protocol.Envelope{Type: protocol.TypeAck, Payload: &a})
					s.send(protocol.Envelope{Type: protocol.TypeMessage, ID: "x", Seq: 16, Payload: &protocol.Message{From: "u-2", To: "u-1", Body: json.RawMessage(`"hi"`)}})
				case protocol.TypeSubscribe:
					f := protocol.Error{Code: protocol.CodeNotMember, Text: "no", Ref: e.ID}
					s.send(protocol.Envelope{Type: protocol.TypeError, Payload: &f})
				}
			}
		})
		var heard []string
		note := func(format string, args ...any) { heard = append(heard, plain(fmt.Sprintf(format, args...))) }
		c, err := client.Dial(t.Context(), client.Options{
			URL: address, NetDial: p.dial,
			Handler: client.Handler{
				Message: func(m protocol.Message, e protocol.Envelope) { note("message %d from %s: %s", e.Seq, m.From, m.Body) },
				Echo:    func(id string, payload json.RawMessage) { note("echo %s %s", id, payload) },
				Ack:     func(a protocol.Ack) { note("ack %s %d", a.Ref, a.Delivered) },
				Error:   func(e protocol.Error) { note("error %s %s", e.Ref, e.Code) },
				State:   func(s client.State) { note("connected %v, final %v", s.Connected, s.Final) },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		_, err = c.Echo(json.RawMessage(`{"n":1}`))
		do(err)
		_, err = c.SendTo("u-2", json.RawMessage(`"hi"`))
		do(err)
		do(c.Join("r-1"))
		_, err = c.SendRoom("r-1", json.RawMessage(`{}`))
		do(err)
		do(c.Leave("r-1"))
		do(c.Close())
		wantSent := []string{
			`{"v":1,"type":"echo","id":"r-1","payload":{"n":1}}`, `{"v":1,"type":"publish","id":"m-1","payload":{"to":"u-2","body":"hi"}}`,
			`{"v":1,"type":"ack","payload":{"seq":16}}`, `{"v":1,"type":"subscribe","id":"r-2","payload":{"room":"r-1"}}`,
			`{"v":1,"type":"publish","id":"m-2","payload":{"room":"r-1","body":{}}}`, `{"v":1,"type":"unsubscribe","id":"r-3","payload":{"room":"r-1"}}`,
		}
		if diff := cmp.Diff(wantSent, got); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		wantHeard := []string{
			"connected true, final false", `echo r-1 {"n":1}`, "ack m-1 1", `message 16 from u-2: "hi"`, "error r-2 not_member",
			"ack m-2 1", "connected false, final true",
		}
		if diff := cmp.Diff(wantHeard, heard); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if _, err := c.Echo(nil); !errors.Is(err, client.ErrClosed) || !errors.Is(c.Err(), client.ErrClosed) {
			t.Errorf("after Close: %v, %v", err, c.Err())
		}
	})
}

// What a server sees of a client that leaves in order.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*client.Client, context.CancelFunc) error
		code int
		text string
	}{
		{"close", func(c *client.Client, _ context.CancelFunc) error { return c.Close() }, 1000, `{"r":"normal"}`},
		{"logout", func(c *client.Client, _ context.CancelFunc) error { return c.Logout() }, 4510, `{"r":"logout"}`},
		{"context", func(c *client.Client, cancel context.CancelFunc) error { cancel(); <-c.Done(); return nil }, 1001, `{"r":"going_away"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				seen := make(chan error, 1)
				p := serve(t, func(w http.ResponseWriter, r *http.Request) {
					s := accept(t, w, r, 30*time.Second)
					defer s.drop()
					_, err := s.read()
					seen <- err
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cl, err := client.Dial(ctx, client.Options{URL: address, NetDial: p.dial})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.end(cl, cancel); err != nil {
					t.Error(err)
				}
				var ce *websocket.CloseError
				if err := <-seen; !errors.As(err, &ce) || ce.Code != c.code || ce.Text != c.text {
					t.Errorf("the server saw %v", err)
				}
			})
		})
	}
}

// A server that never answers the goodbye does not keep the client.
func TestCloseDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			s := accept(t, w, r, 30*time.Second)
			defer s.drop()
			s.ws.SetCloseHandler(func(int, string) error { return nil })
			for {
				if _, err := s.read(); err != nil {
					break
				}
			}
			// The TCP connection stays open, as with a peer that has hung.
			_, _ = io.Copy(io.Discard, s.ws.NetConn())
		})
		c, err := client.Dial(t.Context(), client.Options{URL: address, NetDial: p.dial})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("closing took %v", d)
		}
	})
}

// After each kind of end the client comes back or not, and then tells why it was away.
func TestReconnectRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		end        func(*peer)
		back       bool
		prevReason string
		wait       time.Duration // with the longest jitter, rounded
	}{
		{"drain", func(s *peer) { s.close(4001, `{"r":"drain"}`) }, true, "drain", quick},
		{"drain with a wish", func(s *peer) { s.close(4001, `{"r":"drain","retry_ms":7000}`) }, true, "drain", 7500 * time.Millisecond},
		{"a code in the range, without a text", func(s *peer) { s.close(4003, "") }, true, "slow_consumer", quick},
		{"a code in the range that is not known", func(s *peer) { s.close(4400, "strange") }, true, "server_error", quick},
		{"service restart", func(s *peer) { s.close(1012, "") }, true, "drain", quick},
		{"never range", func(s *peer) { s.close(4504, `{"r":"kicked"}`) }, false, "kicked", 0},
		{"never range, not known", func(s *peer) { s.close(4777, "") }, false, "server_error", 0},
		{"replaced, though in the other range", func(s *peer) { s.close(4006, `{"r":"session_replaced"}`) }, false, "session_replaced", 0},
		{"a reason does not open a closed range", func(s *peer) { s.close(4500, `{"r":"drain"}`) }, false, "drain", 0},
		{"normal", func(s *peer) { s.close(1000, "") }, false, "normal", 0},
		{"too big", func(s *peer) { s.close(1009, `{"r":"message_too_big"}`) }, false, "message_too_big", 0},
		{"gone", func(s *peer) { s.drop() }, true, "client_gone", quick},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var queries []string
				p := serve(t, func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					q := r.URL.Query()
					queries = append(queries, q.Get("attempt")+" "+q.Get("prev_reason")+" "+q.Get("prev_life_ms"))
					first := len(queries) == 1
					mu.Unlock()
					s := accept(t, w, r, 0)
					defer s.drop()
					if first {
						<-time.After(5 * time.Second)
						c.end(s)
						return
					}
					for {
						if _, err := s.read(); err != nil {
							return
						}
					}
				})
				states := make(chan client.State, 10)
				cl, err := client.Dial(t.Context(), client.Options{
					URL: address, NetDial: p.dial, Rand: nearlyOne, Handler: client.Handler{State: func(s client.State) { states <- s }},
				})
				if err != nil {
					t.Fatal(err)
				}
				<-states
				lost := <-states
				var ce *client.CloseError
				if !errors.As(lost.Err, &ce) || ce.Reason != c.prevReason || lost.Final == c.back || lost.Wait.Round(100*time.Millisecond) != c.wait {
					t.Errorf("lost: %+v", lost)
				}
				if !c.back {
					<-cl.Done()
					if cl.Err() == nil {
						t.Error("the client ended without saying why")
					}
					return
				}
				if s := <-states; !s.Connected || s.Attempt != 2 {
					t.Errorf("back: %+v", s)
				}
				if err := cl.Close(); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff([]string{"1  ", "2 " + c.prevReason + " 5000"}, queries); diff != "" {
					t.Errorf("told the server (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			s := accept(t, w, r, 30*time.Second)
			defer s.drop()
			pong := make(chan string, 1)
			s.ws.SetPongHandler(func(data string) error { pong <- data; return nil })
			go func() { // one ping, then silence
				<-time.After(40 * time.Second)
				if err := s.ws.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Second)); err != nil {
					t.Error(err)
				}
			}()
			for {
				if _, err := s.read(); err != nil {
					break
				}
			}
			if got := <-pong; got != "p" {
				t.Errorf("pong %q", got)
			}
		})
		start := time.Now()
		c, err := client.Dial(t.Context(), client.Options{URL: address, NetDial: p.dial, NoReconnect: true})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		var ce *client.CloseError
		if d := time.Since(start); d != 100*time.Second || !errors.As(c.Err(), &ce) || ce.Reason != "net_timeout" {
			t.Errorf("given up after %v: %v", d, c.Err())
		}
	})
}

// The waits double up to the cap while the server is away, and a server that hangs up at once is not hammered.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var waits []string
		refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
		c, err := client.Dial(ctx, client.Options{
			URL: address, NetDial: refuse, Persist: true, Rand: nearlyOne,
			Handler: client.Handler{State: func(s client.State) {
				waits = append(waits, s.Wait.Round(time.Second).String())
				if len(waits) == 9 {
					cancel()
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		want := []string{"1s", "2s", "4s", "8s", "16s", "32s", "1m0s", "1m0s", "1m0s"}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestShortLivesAreNotASuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var life atomic.Int64
		life.Store(int64(time.Second))
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			s := accept(t, w, r, 0)
			<-time.After(time.Duration(life.Load()))
			s.close(4000, `{"r":"server_error"}`)
		})
		var waits []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c, err := client.Dial(ctx, client.Options{
			URL: address, NetDial: p.dial, Rand: nearlyOne,
			Handler: client.Handler{State: func(s client.State) {
				if s.Connected {
					return
				}
				waits = append(waits, s.Wait.Round(100*time.Millisecond))
				switch len(waits) {
				case 3:
					life.Store(int64(31 * time.Second))
				case 5:
					cancel()
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if diff := cmp.Diff([]time.Duration{quick, 2 * quick, 4 * quick, quick, quick}, waits); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, retryAfter string
		status                 int
		want                   client.HandshakeError
		again                  bool
	}{
		{"bad token", `{"reason":"token_signature","text":"token signature invalid"}`, "", 401, client.HandshakeError{Status: 401, Reason: "token_signature", Text: "token signature invalid"}, false},
		{"old token", `{"reason":"token_expired","text":"token expired"}`, "", 401, client.HandshakeError{Status: 401, Reason: "token_expired", Text: "token expired"}, true},
		{"full", `{"reason":"node_full","text":"server full"}`, "5", 503, client.HandshakeError{Status: 503, Reason: "node_full", Text: "server full", RetryAfter: 5 * time.Second}, true},
		{"a proxy's page", `<html>`, "", 502, client.HandshakeError{Status: 502}, true},
		{"absurd wish", `{}`, "99999999", 429, client.HandshakeError{Status: 429, RetryAfter: 15 * time.Minute}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					if c.retryAfter != "" {
						w.Header().Set("Retry-After", c.retryAfter)
					}
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.body)
				})
				o := client.Options{URL: address, NetDial: p.dial, Rand: zero}
				_, err := client.Dial(t.Context(), o)
				var he *client.HandshakeError
				if !errors.As(err, &he) {
					t.Fatalf("%v", err)
				}
				if diff := cmp.Diff(c.want, *he); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				o.Persist = true
				var first *client.State
				o.Handler.State = func(s client.State) {
					if first == nil {
						first = &s
						cancel()
					}
				}
				cl, err := client.Dial(ctx, o)
				if err != nil {
					t.Fatal(err)
				}
				<-cl.Done()
				if first.Final == c.again || first.Wait != c.want.RetryAfter {
					t.Errorf("%+v", first)
				}
			})
		})
	}
}

// Rooms are entered again, and the token is asked for anew.
func TestComesBackWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			first := len(seen) == 0
			seen = append(seen, r.Header.Get("Authorization")+" "+r.Header.Get("X-Device-ID")+" "+r.Header.Get("X-Platform")+" "+r.Header.Get("X-App-Version"))
			mu.Unlock()
			if tp := r.Header.Get("Traceparent"); len(tp) != 55 || !strings.HasPrefix(tp, "00-") {
				t.Errorf("traceparent %q", tp)
			}
			s := accept(t, w, r, 0)
			e, err := s.read()
			if err == nil {
				mu.Lock()
				seen = append(seen, said(e))
				mu.Unlock()
			}
			if !first {
				_, _ = s.read()
			}
			s.drop()
		})
		n := 0
		states := make(chan client.State, 10)
		c, err := client.Dial(t.Context(), client.Options{
			URL: address, NetDial: p.dial, Device: "d-1", Platform: "ios", AppVersion: "8.2", Rand: zero,
			Token:   func(context.Context) (string, error) { n++; return fmt.Sprintf("token-%d", n), nil },
			Handler: client.Handler{State: func(s client.State) { states <- s }},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Join("r-1"); err != nil {
			t.Error(err)
		}
		for connects := 0; connects < 2; {
			if s := <-states; s.Connected {
				connects++
			}
		}
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		want := []string{"Bearer token-1 d-1 ios 8.2", `{"v":1,"type":"subscribe","id":"r-1","payload":{"room":"r-1"}}`, "Bearer token-2 d-1 ios 8.2", `{"v":1,"type":"subscribe","id":"r-2","payload":{"room":"r-1"}}`}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestNoHello(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			up := websocket.Upgrader{}
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			_, _, _ = ws.ReadMessage()
			_ = ws.Close()
		})
		start := time.Now()
		_, err := client.Dial(t.Context(), client.Options{URL: address, NetDial: p.dial})
		if d := time.Since(start); d != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", d, err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := client.Dial(t.Context(), client.Options{URL: "http://im.test", WriteTimeout: -1})
	if err == nil || !strings.Contains(err.Error(), `url: found "http://im.test", expected ws://`) || !strings.Contains(err.Error(), "write timeout: found -1ns") {
		t.Error(err)
	}
}

func TestTokenFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("no key")
	_, err := client.Dial(t.Context(), client.Options{URL: address, Token: func(context.Context) (string, error) { return "", cause }})
	if !errors.Is(err, cause) {
		t.Error(err)
	}
}
