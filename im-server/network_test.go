package imserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// network carries bytes both ways between pipes, late and in order, and stands still when it is told to. A segment that
// is lost and sent again is nothing but a longer delay to what is above TCP.
type network struct {
	mu    sync.Mutex
	delay [2]func() time.Duration
	stall [2]time.Time // until when nothing arrives
	wires sync.WaitGroup
}

const (
	toServer = iota
	toClient
)

func (n *network) set(way int, delay func() time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay[way] = delay
}

func (n *network) stand(way int, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stall[way] = time.Now().Add(d)
}

// dial connects through the network.
func (n *network) dial(p *pipes) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, a, b string) (net.Conn, error) {
		far, err := p.dial(ctx, a, b)
		if err != nil {
			return nil, err
		}
		ours, near := net.Pipe()
		n.wires.Go(func() { n.carry(toServer, near, far) })
		n.wires.Go(func() { n.carry(toClient, far, near) })
		return ours, nil
	}
}

type packet struct {
	at   time.Time
	data []byte
}

func (n *network) carry(way int, from, to net.Conn) {
	wire := make(chan packet, 1024)
	n.wires.Go(func() {
		defer close(wire)
		buf := make([]byte, 32<<10)
		for {
			k, err := from.Read(buf)
			if err != nil {
				return
			}
			n.mu.Lock()
			at := time.Now().Add(n.delay[way]())
			n.mu.Unlock()
			wire <- packet{at, append([]byte(nil), buf[:k]...)}
		}
	})
	for p := range wire {
		for {
			n.mu.Lock()
			wait := max(time.Until(p.at), time.Until(n.stall[way]))
			n.mu.Unlock()
			if wait <= 0 {
				break
			}
			<-time.After(wait)
		}
		_, _ = to.Write(p.data) // a closed end takes nothing, and the rest is passed over
	}
	_ = to.Close()
}

// overNetwork runs f with a server in fake time whose clients are beyond a network.
func overNetwork(t *testing.T, change func(*Config), f func(t *testing.T, srv *fixture, n *network, ws *websocket.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.OpsAddr, cfg.Log.Level = "", "debug"
		cfg.Timeouts.Handshake = time.Minute
		if change != nil {
			change(&cfg)
		}
		listener := newPipes()
		srv := serve(t, cfg, Deps{Listener: listener})
		n := &network{}
		for way := range n.delay {
			n.set(way, func() time.Duration { return 40 * time.Millisecond })
		}
		dialer := websocket.Dialer{NetDialContext: n.dial(listener)}
		ws, res, err := dialer.Dial("ws://pipe"+protocol.Path, http.Header{"Authorization": {"Bearer " + tokenFor(t, "u-1")}})
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		_ = res.Body.Close()
		if _, _, err := ws.ReadMessage(); err != nil {
			t.Fatalf("hello: %v", err)
		}
		f(t, srv, n, ws)
		_ = ws.Close()
		n.wires.Wait()
		srv.stop()
	})
}

// TestTroubledNetworkEndsNobody: for hours of delay that jumps, and stalls of both ways.
func TestTroubledNetworkEndsNobody(t *testing.T) {
	t.Parallel()
	overNetwork(t, nil, func(t *testing.T, f *fixture, n *network, ws *websocket.Conn) {
		t.Helper()
		done := readOn(ws)
		for hour, rtt := range []time.Duration{80 * time.Millisecond, 2 * time.Second, 300 * time.Millisecond, 9 * time.Second} {
			for way := range n.delay {
				n.set(way, func() time.Duration { return rtt / 2 })
			}
			for range 10 {
				pass(5 * time.Minute)
				n.stand(hour%2, 20*time.Second)
			}
			pass(10 * time.Minute)
		}
		select {
		case end := <-done:
			t.Errorf("the connection ended: %v\n%s", end.err, f.log.dump())
		default:
		}
		shortest := int64(1 << 60)
		for _, ev := range f.log.all(event.ActionHeartbeat) {
			shortest = min(shortest, ev.Int(event.FieldHeartbeatInterval))
		}
		if shortest > 15_000 || shortest < 5_000 {
			t.Errorf("the shortest interval was %d ms", shortest)
		}
		_ = ws.Close()
		<-done
	})
}

// TestOneWayStall: the client is heard, and what is sent to it does not arrive.
func TestOneWayStall(t *testing.T) {
	t.Parallel()
	overNetwork(t, nil, func(t *testing.T, f *fixture, n *network, ws *websocket.Conn) {
		t.Helper()
		done := readOn(ws)
		pass(10 * time.Minute)
		n.stand(toClient, 24*time.Hour)
		began := time.Now()
		talk := time.NewTicker(3 * time.Second)
		defer talk.Stop()
		for len(f.log.all(event.ActionHeartbeatTimeout)) == 0 && time.Since(began) < time.Hour {
			<-talk.C
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"type":"ping"}`)) // may have ended
			synctest.Wait()
		}
		if took := time.Since(began); took > 95*time.Second {
			t.Errorf("the end came after %v", took)
		}
		ev := f.log.action(t, event.ActionHeartbeatTimeout)
		if age := ev.Int(event.FieldRxAge); age > 4000 {
			t.Errorf("im.rx.age_ms is %d", age)
		}
		if age := ev.Int(event.FieldHeartbeatPongAge); age < 55_000 {
			t.Errorf("im.heartbeat.last_pong_age_ms is %d", age)
		}
		want(t, ev, map[event.FieldID]string{event.FieldHeartbeatMissed: "3"})
		n.stand(toClient, 0)
		end := <-done
		if ce, ok := errors.AsType[*websocket.CloseError](end.err); ok && ce.Code != 4002 {
			t.Errorf("the client was told %v", end.err)
		}
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{event.FieldCloseReason: "heartbeat_timeout", event.FieldErrorType: ""})
	})
}

// TestDeafClientWithWaitingMessages: pongs came until now, and then nothing that waits is taken.
func TestDeafClientWithWaitingMessages(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *Config) {
		c.Timeouts.Write = time.Hour
		c.Heartbeat.Stall = 20 * time.Second
	}, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws, sender := dial("u-1"), dial("u-2")
		sent := readOn(sender)
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				if _, data, err := ws.ReadMessage(); err != nil || len(data) > 1000 {
					return
				}
			}
		})
		pass(10 * time.Minute)
		// A ping that is under way when the client grows deaf makes it a dead one.
		for f.untilPing("u-1") < 15*time.Second || f.untilPing("u-1") > 28*time.Second {
			pass(time.Second)
		}
		began := time.Now()
		for i := range 3 {
			body := make([]byte, 2000)
			for i := range body {
				body[i] = 'x'
			}
			e := protocol.Envelope{Type: protocol.TypePublish, ID: fmt.Sprint(i), Payload: &protocol.Publish{To: "u-1", Body: []byte(`"` + string(body) + `"`)}}
			if err := sender.WriteMessage(websocket.TextMessage, protocol.JSON().Append(nil, &e)); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		reading.Wait()
		for len(f.log.all(event.ActionDisconnect)) == 0 {
			pass(time.Second)
		}
		ev := f.log.action(t, event.ActionDisconnect)
		took := time.Since(began)
		want(t, ev, map[event.FieldID]string{event.FieldCloseReason: "slow_consumer", event.FieldErrorType: "stalled"})
		if n := ev.Int(event.FieldQueueBytes); n < 2000 {
			t.Errorf("im.queue.bytes is %d", n)
		}
		if took > 90*time.Second {
			t.Errorf("the end came after %v", took)
		}
		_ = ws.Close()
		_ = sender.Close()
		<-sent
	})
}

// TestGuessedPongsAreNoAnswer: who sends the numbers of pings without having read them is not there.
func TestGuessedPongsAreNoAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, f *fixture, dial func(string) *websocket.Conn) {
		t.Helper()
		ws := dial("u-1")
		ws.SetPingHandler(func(string) error { return nil })
		done := readOn(ws)
		for i := byte('0'); len(f.log.all(event.ActionHeartbeatTimeout)) == 0; i = '0' + (i-'0'+1)%10 {
			_ = ws.WriteControl(websocket.PongMessage, []byte{i}, time.Now().Add(time.Second)) // may have ended
			pass(2 * time.Second)
		}
		<-done
		want(t, f.log.action(t, event.ActionDisconnect), map[event.FieldID]string{event.FieldCloseReason: "heartbeat_timeout", event.FieldHeartbeatPongAge: ""})
	})
}

// TestUrgentFrames: a client's pings are answered before the messages that wait, and only the first and the last of many:
// they take no memory. Of our own pings only the last is kept.
func TestUrgentFrames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q sendQueue
		grown, beats := 0, map[int][]string{}
		messages := 0
		for i := range rapid.IntRange(1, 100).Draw(t, "frames") {
			op := rapid.SampledFrom([]int{websocket.TextMessage, websocket.PingMessage, websocket.PongMessage}).Draw(t, "op")
			f := frame{op: op, data: make([]byte, i), at: int64(i)}
			if f.isBeat() {
				grown += q.urgent(f)
				most := map[int]int{websocket.PingMessage: 1, websocket.PongMessage: maxPongs}[op]
				beats[op] = append(beats[op][:min(len(beats[op]), most-1)], string(f.data))
				continue
			}
			q.push(f)
			grown += f.size()
			messages++
		}
		ahead := len(beats[websocket.PingMessage]) + len(beats[websocket.PongMessage])
		if q.bytes != grown || q.len() != messages+ahead {
			t.Fatalf("%d bytes in %d frames, want %d in %d", q.bytes, q.len(), grown, messages+ahead)
		}
		for i, f := range q.take(nil, 1<<20) {
			if f.isBeat() != (i < ahead) {
				t.Fatalf("frame %d has op %d", i, f.op)
			}
			if f.isBeat() {
				if string(f.data) != beats[f.op][0] {
					t.Fatal("it is not the right ones that are kept, or not in order")
				}
				beats[f.op] = beats[f.op][1:]
			}
		}
		if q.age(100) < 0 || q.flight.at > int64(100) {
			t.Fatal("the age is wrong")
		}
	})
}

// untilPing is when a user's connection is pinged next.
func (f *fixture) untilPing(user string) time.Duration {
	c := f.connections(user, "")[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.beat.next - f.clock())
}
