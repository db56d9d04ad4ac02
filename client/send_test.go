package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/client"
	"imwatch/im-server/protocol"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"pgregory.net/rapid"
)

// answers serves one connection after another with a function that is given each envelope.
func answers(t *testing.T, hello protocol.Hello, do func(s *peer, e protocol.Envelope)) *pipes {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{Subprotocols: []string{protocol.SubprotocolJSON}}
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		s := &peer{t: t, ws: ws, r: r}
		defer s.drop()
		hello.ConnectionID, hello.SessionID = "c", "s"
		s.send(protocol.Envelope{Type: protocol.TypeHello, Payload: &hello})
		for {
			e, err := s.read()
			if err != nil {
				return
			}
			do(s, e)
		}
	})
}

func (p *peer) ack(ref string) {
	p.send(protocol.Envelope{Type: protocol.TypeAck, Payload: &protocol.Ack{Ref: ref}})
}

func (p *peer) refuse(ref string, code protocol.Code, retryMS int64) {
	p.send(protocol.Envelope{Type: protocol.TypeError, Payload: &protocol.Error{Code: code, Text: "no", Ref: ref, RetryMS: retryMS}})
}

// What the server cannot take now is sent again, under the same id and before what comes after it; what it will never
// take is given up, and said.
func TestRefusedForNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var got []string
		p := answers(t, protocol.Hello{MessageBytes: 200}, func(s *peer, e protocol.Envelope) {
			got = append(got, fmt.Sprintf("%v %s", time.Since(start).Round(time.Second), said(e)))
			switch len(got) {
			case 1:
				s.refuse(e.ID, protocol.CodeRateLimited, 2000)
			case 2:
				s.refuse(e.ID, protocol.CodeUnavailable, 3000)
			case 4:
				s.refuse(e.ID, protocol.CodeDenied, 0)
			default:
				s.ack(e.ID)
			}
		})
		c, err := client.Dial(t.Context(), client.Options{URL: address, NetDial: p.dial, Rand: zero})
		if err != nil {
			t.Fatal(err)
		}
		var ends []string
		for i := range 3 {
			if _, err := c.Send(protocol.Publish{To: "a", Body: number(i)}, func(_ protocol.Ack, err error) { ends = append(ends, fmt.Sprint(err)) }); err != nil {
				t.Error(err)
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := c.Publish(t.Context(), protocol.Publish{To: "a", Body: json.RawMessage(`"` + strings.Repeat("x", 200) + `"`)}); !errors.Is(err, client.ErrTooBig) {
			t.Errorf("too big: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		want := []string{}
		for _, w := range []string{"0s 1 0", "2s 1 0", "5s 1 0", "5s 2 1", "5s 3 2"} {
			var at string
			var id, body int
			if _, err := fmt.Sscan(w, &at, &id, &body); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf(`%s {"v":1,"type":"publish","id":"m-%d","payload":{"to":"a","body":%d}}`, at, id, body))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"<nil>", "refused (denied): no", "<nil>"}, ends); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Received messages are acknowledged after they were handled: every sixteen, when the server's time is up, and before
// the end. Those that come twice are handled once.
func TestAcknowledging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var acks []string
		p := answers(t, protocol.Hello{AckMS: 3000, HeartbeatMS: 600_000}, func(s *peer, e protocol.Envelope) {
			if a, ok := e.Payload.(*protocol.AckSeq); ok {
				acks = append(acks, fmt.Sprintf("%v %d", time.Since(start), a.Seq))
				return
			}
			var first, last int64
			if _, err := fmt.Sscan(strings.Trim(string(e.Payload.(*protocol.Echo).Body), `{"n:}`), &first, &last); err != nil {
				t.Error(err)
			}
			for seq := first; seq <= last; seq++ {
				s.send(protocol.Envelope{Type: protocol.TypeMessage, ID: fmt.Sprint(seq), Seq: seq, Payload: &protocol.Message{From: "a", To: "b", Body: number(1)}})
			}
		})
		n := 0
		c, err := client.Dial(t.Context(), client.Options{URL: address, NetDial: p.dial, Handler: client.Handler{
			Message: func(protocol.Message, protocol.Envelope) { n++ },
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range []string{"1 20", "15 25", "26 27"} {
			if _, err := c.Echo(json.RawMessage(`{"n":"` + batch + `"}`)); err != nil {
				t.Error(err)
			}
			if batch != "26 27" {
				pass(4 * time.Second)
			}
		}
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"7s 25", "8s 27"}, acks[max(0, len(acks)-2):]); diff != "" || !strings.HasPrefix(acks[0], "0s ") || n != 27 {
			t.Errorf("%d were handled; all acks %v (-want +got):\n%s", n, acks, diff)
		}
	})
}

// A server that closes with a code before its hello is not hammered either, and its wish and its code are heeded.
func TestClosedWhileConnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		texts := []struct {
			code int
			text string
		}{{4012, `{"r":"overload","retry_ms":5000}`}, {4000, ""}, {4000, ""}, {4500, `{"r":"auth_revoked"}`}}
		n := 0
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			up := websocket.Upgrader{}
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			n++
			(&peer{t: t, ws: ws, r: r}).close(texts[n-1].code, texts[n-1].text)
		})
		var waits []time.Duration
		c, err := client.Dial(t.Context(), client.Options{
			URL: address, NetDial: p.dial, Persist: true, Rand: nearlyOne,
			Handler: client.Handler{State: func(s client.State) { waits = append(waits, s.Wait.Round(100*time.Millisecond)) }},
		})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		var ce *client.CloseError
		if !errors.As(c.Err(), &ce) || ce.Reason != "auth_revoked" {
			t.Errorf("%v", c.Err())
		}
		if diff := cmp.Diff([]time.Duration{6 * time.Second, 2 * time.Second, 4 * time.Second, 0}, waits); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A server that restarts within four seconds has everybody back four seconds later, whatever the draws.
func TestRestartIsShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		draws := rapid.SliceOfN(rapid.Float64Range(0.01, 0.999), 1, 30).Draw(rt, "draws")
		life := time.Duration(rapid.IntRange(1, 100).Draw(rt, "life")) * time.Second
		away := time.Duration(rapid.IntRange(0, 4000).Draw(rt, "away")) * time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var peers []*peer
			p := serve(t, func(w http.ResponseWriter, r *http.Request) {
				s := accept(t, w, r, 0)
				mu.Lock()
				peers = append(peers, s)
				mu.Unlock()
				_, _ = s.read()
			})
			var until time.Time
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				if time.Now().Before(until) {
					return nil, errors.New("connection refused")
				}
				return p.dial(ctx, network, addr)
			}
			i := 0
			up := make(chan struct{}, 2)
			c, err := client.Dial(t.Context(), client.Options{
				URL: address, NetDial: dial, Rand: func() float64 { i++; return draws[i%len(draws)] },
				Handler: client.Handler{State: func(s client.State) {
					if s.Connected {
						up <- struct{}{}
					}
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			<-up
			pass(life)
			lost := time.Now()
			until = lost.Add(away)
			peers[0].drop()
			<-up
			if d := time.Since(lost); d > away+4*time.Second {
				rt.Errorf("back after %v", d)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range peers {
				s.drop()
			}
		})
	})
}

// A token can be renewed while the connection is open.
func TestRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := answers(t, protocol.Hello{}, func(s *peer, e protocol.Envelope) {
			a, ok := e.Payload.(*protocol.Auth)
			switch {
			case !ok:
				t.Errorf("found %s", said(e))
			case a.Token == "token-2":
				s.send(protocol.Envelope{Type: protocol.TypeHello, Payload: &protocol.Hello{ConnectionID: "c", SessionID: "s"}})
			default:
				s.refuse(e.ID, protocol.CodeDenied, 0)
			}
		})
		c, err := client.Dial(t.Context(), client.Options{
			URL: address, NetDial: p.dial, Token: func(context.Context) (string, error) { n++; return fmt.Sprintf("token-%d", n), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		var refused *client.RefusedError
		if err := c.Refresh(t.Context()); !errors.As(err, &refused) || refused.Code != protocol.CodeDenied {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
