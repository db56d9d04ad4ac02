package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener over net.Pipe: sockets can't be used in fake time, pipes can.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a server whose every handshake is given to handle, and ends it with the test.
func serve(t *testing.T, handle func(http.ResponseWriter, *http.Request)) *pipes {
	t.Helper()
	p := newPipes()
	s := &http.Server{Handler: http.HandlerFunc(handle), ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(p)
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return p
}

// peer is the server's side of one connection.
type peer struct {
	t  *testing.T
	ws *websocket.Conn
	r  *http.Request
}

// accept upgrades and says hello.
func accept(t *testing.T, w http.ResponseWriter, r *http.Request, heartbeat time.Duration) *peer {
	t.Helper()
	up := websocket.Upgrader{Subprotocols: []string{protocol.SubprotocolJSON}}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	p := &peer{t: t, ws: ws, r: r}
	hello := protocol.Hello{ConnectionID: "c-1", SessionID: "s-1", HeartbeatMS: heartbeat.Milliseconds(), ServerTime: 1}
	p.send(protocol.Envelope{Type: protocol.TypeHello, Payload: &hello})
	return p
}

func (p *peer) send(e protocol.Envelope) {
	if err := p.ws.WriteMessage(websocket.TextMessage, protocol.JSON().Append(nil, &e)); err != nil {
		p.t.Errorf("server: sending %s: %v", e.Type, err)
	}
}

// read gives the next envelope of the client, or the error that ended reading.
func (p *peer) read() (protocol.Envelope, error) {
	_, data, err := p.ws.ReadMessage()
	if err != nil {
		return protocol.Envelope{}, err
	}
	return protocol.JSON().Decode(data, protocol.FromClient)
}

// close ends the connection with a code and a text, and waits for the client's answer.
func (p *peer) close(code int, text string) {
	frame := websocket.FormatCloseMessage(code, text)
	if err := p.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second)); err != nil {
		p.t.Errorf("server: closing: %v", err)
	}
	for {
		if _, err := p.read(); err != nil {
			break
		}
	}
	p.drop()
}

func (p *peer) drop() { _ = p.ws.Close() }

// said gives an envelope as JSON, without its time.
func said(e protocol.Envelope) string {
	e.TS = 0
	return plain(string(protocol.JSON().Append(nil, &e)))
}

// plain gives the random part of the ids of messages a plain name.
func plain(text string) string {
	return regexp.MustCompile(`\b[0-9a-z]{13}-`).ReplaceAllString(text, "m-")
}
