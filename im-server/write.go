package imserver

import (
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// send queues a frame, unless the connection is ending. It never blocks.
func (c *conn) send(f frame) {
	c.mu.Lock()
	over := !c.ending.begun && c.push(f)
	c.mu.Unlock()
	if over {
		c.tooSlow()
	}
}

// sendNumbered queues a message with the session's next number.
func (c *conn) sendNumbered(p protocol.Parts) bool {
	c.mu.Lock()
	if c.ending.begun {
		c.mu.Unlock()
		return false
	}
	c.seq++
	data := make([]byte, 0, len(p.Head)+len(p.Tail)+len(`,"seq":`)+20)
	over := c.push(frame{op: websocket.TextMessage, data: c.codec.AppendNumbered(data, p, c.seq)})
	c.mu.Unlock()
	if over {
		c.tooSlow()
	}
	return true
}

// push queues a frame and makes sure that somebody writes it. It says whether the queue is over its limit. c.mu is held.
func (c *conn) push(f frame) (over bool) {
	f.at = c.s.clock()
	c.out.push(f)
	c.s.queuedBytes.Add(int64(len(f.data)))
	if !c.writing {
		c.writing = true
		go c.write()
	}
	return c.out.bytes > c.s.conf().Limits.QueueBytes || c.out.len() > c.s.conf().Limits.QueueMessages
}

// discard empties the queue. c.mu is held.
func (c *conn) discard() {
	c.s.queuedBytes.Add(-int64(c.out.discard()))
}

// tooSlow ends a connection whose client does not take what is sent to it.
func (c *conn) tooSlow() {
	c.mu.Lock()
	depth, bytes, age := c.out.len(), c.out.bytes, c.out.age(c.s.clock())
	begun := c.beginEnd(event.CloseSlowConsumer, 0, nil)
	c.mu.Unlock()
	if !begun {
		return
	}
	c.s.metrics.slow.Inc()
	ev := c.event(event.ActionSlowConsumer)
	ev.SetInt(event.FieldQueueDepth, int64(depth))
	ev.SetInt(event.FieldQueueBytes, int64(bytes))
	ev.SetInt(event.FieldQueueAge, age/int64(time.Millisecond))
	c.s.emit(ev)
}

// write is the write goroutine: the only one that writes to the socket while it lives. It ends when nothing waits.
func (c *conn) write() {
	defer func() {
		if p := recover(); p != nil {
			c.s.panicked(&c.client, p)
			c.end(event.CloseServerError, 0, nil)
			c.mu.Lock()
			c.stopWriting()
			c.mu.Unlock()
			c.cut()
		}
	}()
	for {
		c.mu.Lock()
		if c.ending.closeSent || c.ending.closeFailed {
			c.discard() // nothing may follow a close frame
		}
		f, ok := c.out.take()
		if !ok {
			c.stopWriting()
			c.mu.Unlock()
			return
		}
		limit := c.s.conf().Timeouts.Write
		if c.ending.begun {
			limit = c.s.conf().Timeouts.Close
		}
		if f.op == websocket.PingMessage {
			c.beat.sentAt = c.s.clock()
		}
		c.mu.Unlock()
		c.wrote(f, c.writeFrame(f, limit))
	}
}

func (c *conn) writeFrame(f frame, limit time.Duration) error {
	deadline := time.Now().Add(limit) // a socket's own clock
	if f.op != websocket.TextMessage {
		return c.ws.WriteControl(f.op, f.data, deadline)
	}
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.ws.WriteMessage(f.op, f.data)
}

// wrote notes what became of the first frame of the queue.
func (c *conn) wrote(f frame, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.queuedBytes.Add(-int64(c.out.landed()))
	switch {
	case err == nil:
		c.note(f)
		return
	case c.ending.begun:
	default:
		c.writeFailed(err)
	}
	// gorilla writes nothing after an error, so no close frame will follow. What the peer sent may still be read, but
	// not from one that has stopped taking anything.
	c.ending.closeFailed = true
	if c.ending.writeErr != nil {
		c.readUntil(lingerRead)
	} else {
		c.readUntil(0)
	}
}

// writeFailed begins the end of a connection that cannot be written to. c.mu is held.
func (c *conn) writeFailed(err error) {
	switch errorClass(err) {
	case classReset, classNetTimeout, classLocal:
		c.ending.writeErr = err // the reader may know better: there may be a close frame yet to read
	case classDeadline:
		c.beginEnd(event.CloseWriteTimeout, 0, err)
	default:
		c.beginEnd(event.CloseWriteError, 0, err)
	}
}

// lingerRead is how long a connection whose writes fail is still read for the reason.
const lingerRead = time.Second

// note counts a frame that was written. c.mu is held.
func (c *conn) note(f frame) {
	switch f.op {
	case websocket.TextMessage:
		c.sent++
		c.bytesOut.Add(int64(len(f.data)))
		c.s.counts.out.Add(1)
		c.s.metrics.out.Inc()
	case websocket.CloseMessage:
		c.ending.closeSent = true
	}
}

// stopWriting lets go of the write goroutine's place. c.mu is held.
func (c *conn) stopWriting() {
	c.writing = false
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// waitWriter waits until no write goroutine exists, at most limit; 0 is without limit.
func (c *conn) waitWriter(limit time.Duration) {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	if limit == 0 {
		<-idle
		return
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}
