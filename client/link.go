package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
)

// readLimit bounds what is received in one message, in bytes.
const readLimit = 1 << 20

// ackEvery is how many messages are taken before they are acknowledged without waiting for a ping.
const ackEvery = 16

// link is one connection that is up. Only the client's run goroutine reads from it.
type link struct {
	ws    *websocket.Conn
	opts  *Options
	hello protocol.Hello
	trace string
	since time.Time

	write sync.Mutex // gorilla takes one writer at a time
	buf   []byte     // guarded by write

	got   int64 // greatest number of a message; owned by the run goroutine, as acked
	acked int64
}

// readHello waits for the server's first envelope, and sets the watchdog up that it asks for.
func (l *link) readHello(ctx context.Context) error {
	l.ws.SetReadLimit(readLimit)
	// The context has the handshake's deadline, and may end before it.
	stop := context.AfterFunc(ctx, func() { _ = l.ws.SetReadDeadline(time.Unix(1, 0)) }) // the read fails either way
	defer stop()
	e, err := l.read()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("waiting for hello: %w", ctx.Err())
	default:
		return fmt.Errorf("waiting for hello: %w", classify(err))
	}
	hello, ok := e.Payload.(*protocol.Hello)
	if !ok {
		return fmt.Errorf("waiting for hello: found an envelope of type %q", e.Type)
	}
	l.hello = *hello
	l.ws.SetPingHandler(l.ping)
	return l.alive()
}

// alive moves the watchdog: twice the heartbeat interval without a sign of life is the end.
func (l *link) alive() error {
	if l.hello.HeartbeatMS == 0 {
		return l.ws.SetReadDeadline(time.Time{})
	}
	return l.ws.SetReadDeadline(time.Now().Add(2 * time.Duration(l.hello.HeartbeatMS) * time.Millisecond))
}

func (l *link) ping(data string) error {
	if err := l.alive(); err != nil {
		return err
	}
	err := l.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(l.opts.WriteTimeout))
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		return err
	}
	return l.ack()
}

// read gives the next envelope. What can't be decoded is told to the log and passed over: a newer server may say more.
func (l *link) read() (protocol.Envelope, error) {
	for {
		kind, data, err := l.ws.ReadMessage()
		if err != nil {
			return protocol.Envelope{}, err
		}
		if kind != websocket.TextMessage {
			continue
		}
		e, err := l.opts.codec.Decode(data, protocol.FromServer)
		if err == nil {
			return e, nil
		}
		l.opts.Log.WithError(err).Warn("passing over an envelope of the server")
	}
}

// send writes one envelope. It blocks at most for the write timeout; after an error the connection is as good as gone.
func (l *link) send(e protocol.Envelope) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.buf = l.opts.codec.Append(l.buf[:0], &e)
	if err := l.ws.SetWriteDeadline(time.Now().Add(l.opts.WriteTimeout)); err != nil {
		return fmt.Errorf("sending %s: %w", e.Type, err)
	}
	if err := l.ws.WriteMessage(websocket.TextMessage, l.buf); err != nil {
		return fmt.Errorf("sending %s: %w", e.Type, err)
	}
	return nil
}

// ack tells the server what has arrived, if there is anything new.
func (l *link) ack() error {
	if l.got == l.acked {
		return nil
	}
	l.acked = l.got
	return l.send(protocol.Envelope{Type: protocol.TypeAck, Payload: &protocol.AckSeq{Seq: l.got}})
}
