package imserver

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/gorilla/websocket"

	"imwatch/event"
)

// read is the read goroutine. It reads to the end, after an end of ours too: the peer's close frame is worth waiting for.
func (c *conn) read() {
	for {
		op, r, err := c.ws.NextReader()
		if err != nil {
			c.finish(err)
			return
		}
		c.alive()
		c.readMessage(op, r)
	}
}

// readMessage takes one message. What is left of it is passed over by the next read.
func (c *conn) readMessage(op int, r io.Reader) {
	if c.isEnding() {
		return
	}
	buf, _ := c.s.buffers.Get().(*bytes.Buffer)
	defer c.s.putBuffer(buf)
	limit := int64(c.s.conf().Limits.MessageBytes)
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return // the next read says it again
	case n > limit:
		c.messageTooBig(limit)
		return
	}
	c.alive()
	c.lastSaid.Store(c.s.clock())
	c.messagesIn.Add(1)
	c.bytesIn.Add(n)
	c.s.counts.in.Add(1)
	c.s.metrics.in.Inc()
	c.handle(op, buf.Bytes())
}

func (c *conn) messageTooBig(limit int64) {
	if !c.end(event.CloseMessageTooBig, 0, fmt.Errorf("message of more than %d bytes", limit)) {
		return
	}
	ev := c.event(event.ActionMessageRejected)
	ev.SetText(event.FieldEventReason, event.CloseMessageTooBig.Reason)
	ev.SetText(event.FieldMessageDirection, "in")
	ev.SetText(event.FieldErrorMessage, fmt.Sprintf("more than %d bytes", limit))
	c.s.emit(ev)
	c.s.metrics.rejected.WithLabelValues(event.CloseMessageTooBig.Reason).Inc()
}

// handle gives a message to its handler. A panic there ends this connection and no other.
func (c *conn) handle(op int, data []byte) {
	defer func() {
		if p := recover(); p != nil {
			c.s.panicked(&c.client, p)
			c.end(event.CloseServerError, 0, nil)
		}
	}()
	c.dispatch(op == websocket.TextMessage, data)
}

func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending.begun
}

// keepBuffer is the largest read buffer that is kept for the next message.
const keepBuffer = 16 << 10

func newBuffers() *sync.Pool { return &sync.Pool{New: func() any { return new(bytes.Buffer) }} }

func (s *Server) putBuffer(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer {
		b.Reset()
		s.buffers.Put(b)
	}
}
