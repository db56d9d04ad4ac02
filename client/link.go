package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
)

// readLimit bounds what is received in one message, as sent and unpacked, in bytes.
const readLimit = 1 << 20

// link is one connection that is up. Only the client's run goroutine reads from it.
type link struct {
	ws    *websocket.Conn
	opts  *Options
	hello protocol.Hello
	trace string
	since time.Time
	heard atomic.Int64 // when something came last, by time.Now, in nanoseconds

	write sync.Mutex // gorilla takes one writer at a time
	buf   []byte     // guarded by write

	// Guarded by the client's mu.
	handled int64     // greatest number of a message that was handled
	acked   int64     // and of what the server was told
	ackDue  time.Time // zero: there is nothing to tell
	pinged  time.Time // when the server was asked for a sign of life
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
	switch p := e.Payload.(type) {
	case *protocol.Hello:
		l.hello = *p
	case *protocol.Error:
		return fmt.Errorf("waiting for hello: %w", newRefused(p))
	default:
		return fmt.Errorf("waiting for hello: found an envelope of type %q", e.Type)
	}
	l.ws.SetPingHandler(l.ping)
	return l.alive()
}

// alive moves the watchdog: twice the heartbeat interval without a sign of life is the end.
func (l *link) alive() error {
	now := time.Now()
	l.heard.Store(now.UnixNano())
	if l.hello.HeartbeatMS == 0 {
		return l.ws.SetReadDeadline(time.Time{})
	}
	return l.ws.SetReadDeadline(now.Add(2 * l.heartbeat()))
}

func (l *link) heartbeat() time.Duration {
	return time.Duration(l.hello.HeartbeatMS) * time.Millisecond
}

func (l *link) ping(data string) error {
	if err := l.alive(); err != nil {
		return err
	}
	err := l.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(l.opts.WriteTimeout))
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		return err
	}
	return nil
}

// read gives the next envelope. What can't be decoded is told to the log and passed over: a newer server may say more.
func (l *link) read() (protocol.Envelope, error) {
	for {
		kind, data, err := l.message()
		if err != nil {
			return protocol.Envelope{}, err
		}
		if kind == websocket.BinaryMessage != l.opts.Codec.Binary() {
			continue
		}
		e, err := l.opts.Codec.Decode(data, protocol.FromServer)
		if err == nil {
			return e, nil
		}
		l.opts.Log.WithError(err).Warn("passing over an envelope of the server")
	}
}

// message gives the next message. What is longer is an error; unpacked, it is nothing that gorilla bounds.
func (l *link) message() (kind int, data []byte, err error) {
	kind, r, err := l.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, readLimit+1))
	if err == nil && len(data) > readLimit {
		err = websocket.ErrReadLimit
	}
	return kind, data, err
}

// packFrom is the size of the smallest envelope that is packed, in bytes, where the server has agreed to it.
const packFrom = 1 << 10

// send writes one envelope. It blocks at most for the write timeout; after an error that is not ErrTooBig the connection
// is as good as gone.
func (l *link) send(e protocol.Envelope) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.buf = l.opts.Codec.Append(l.buf[:0], &e)
	if most := l.hello.MessageBytes; most > 0 && int64(len(l.buf)) > most {
		return fmt.Errorf("sending %s: %d bytes: %w, %d", e.Type, len(l.buf), ErrTooBig, most)
	}
	if err := l.ws.SetWriteDeadline(time.Now().Add(l.opts.WriteTimeout)); err != nil {
		return fmt.Errorf("sending %s: %w", e.Type, err)
	}
	kind := websocket.TextMessage
	if l.opts.Codec.Binary() {
		kind = websocket.BinaryMessage
	}
	l.ws.EnableWriteCompression(len(l.buf) >= packFrom)
	if err := l.ws.WriteMessage(kind, l.buf); err != nil {
		return fmt.Errorf("sending %s: %w", e.Type, err)
	}
	return nil
}

// leave tells the server what was handled, says goodbye and gives the server a moment to answer; then reading ends by
// itself.
func (c *Client) leave(l *link, r event.CloseReason) {
	c.mu.Lock()
	seq := l.unacked()
	c.mu.Unlock()
	if seq > 0 {
		if err := l.send(ackOf(seq)); err != nil {
			c.opts.Log.WithError(err).Debug("acknowledging before the end")
		}
	}
	text := protocol.CloseText{Reason: r.Reason}
	frame := websocket.FormatCloseMessage(r.Code, string(text.Append(nil)))
	if err := l.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(goodbye)); err != nil {
		_ = l.ws.Close() // there is nobody to say goodbye to
		return
	}
	// Closing, not a read deadline: reading moves the deadline with each message.
	time.AfterFunc(goodbye, func() { _ = l.ws.Close() }) // as above
}

// goodbye is how long a server may take to answer a close frame.
const goodbye = 3 * time.Second

// unacked gives the number that the server has not been told yet, and counts it as told; 0: there is none. The client's mu
// is held.
func (l *link) unacked() int64 {
	if l.handled <= l.acked {
		return 0
	}
	l.acked, l.ackDue = l.handled, time.Time{}
	return l.acked
}

func ackOf(seq int64) protocol.Envelope {
	return protocol.Envelope{Type: protocol.TypeAck, Payload: &protocol.AckSeq{Seq: seq}}
}
