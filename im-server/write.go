package imserver

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/ops"
	"imwatch/im-server/protocol"
)

// send queues a frame, unless the connection is ending. It never blocks.
func (c *conn) send(f frame) {
	c.mu.Lock()
	p := keepsUp
	if !c.ending.begun {
		c.push(f)
		p = c.pressed()
	}
	c.mu.Unlock()
	c.press(p)
}

// sendDelivery queues a message with its number in the session.
func (c *conn) sendDelivery(d *delivery, seq int64) {
	f := frame{op: c.op(), msg: d.wire(c.codec), seq: seq}
	c.send(f)
	c.follow(ops.DirOut, string(protocol.TypeMessage), f.size())
}

// op is the kind of WebSocket message that envelopes go in.
func (c *conn) op() int {
	if c.codec.Binary() {
		return websocket.BinaryMessage
	}
	return websocket.TextMessage
}

// push queues a frame and makes sure that somebody writes it. c.mu is held.
func (c *conn) push(f frame) {
	f.at = c.s.clock()
	if f.isBeat() {
		c.s.queuedBytes.Add(int64(c.out.urgent(f)))
	} else {
		c.out.push(f)
		c.s.queuedBytes.Add(int64(f.size()))
	}
	c.followControl(&f)
	if !c.writing {
		c.writing = true
		go c.write()
	}
}

// discard empties the queue. c.mu is held.
func (c *conn) discard() {
	c.s.queuedBytes.Add(-int64(c.out.discard()))
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
	w, _ := c.s.writers.Get().(*writer)
	defer w.release(c.s.writers)
	for {
		c.mu.Lock()
		if c.ending.closeSent || c.ending.closeFailed {
			c.discard() // nothing may follow a close frame
		}
		w.batch = c.out.take(w.batch[:0], corked)
		if len(w.batch) == 0 {
			c.stopWriting()
			c.mu.Unlock()
			return
		}
		limit := c.s.conf().Timeouts.Write
		if c.ending.begun {
			limit = c.s.conf().Timeouts.Close
		}
		for i := range w.batch {
			if w.batch[i].op == websocket.PingMessage && c.beat.timed == c.beat.number {
				c.beat.sentAt = c.s.clock() // the ping that waits is the last
			}
		}
		c.mu.Unlock()
		c.wrote(w, c.writeBatch(w, limit))
	}
}

// corked is how much goes into one write to a socket, in bytes, if frames are not larger.
const corked = 64 << 10

// writer is what one writing goroutine needs for a time.
type writer struct {
	batch []frame
	sizes []int // of the payloads of batch, once they are in buf
	buf   []byte
}

func newWriters() *sync.Pool { return &sync.Pool{New: func() any { return new(writer) }} }

// release gives a writer back, unless it has grown large.
func (w *writer) release(to *sync.Pool) {
	clear(w.batch[:cap(w.batch)])
	if cap(w.buf) <= 2*corked && cap(w.batch) <= 4096 {
		to.Put(w)
	}
}

// writeBatch writes all frames of a batch with one write: a system call for each would be most of the work. Frames are
// written past gorilla, which has no way to do that.
func (c *conn) writeBatch(w *writer, limit time.Duration) error {
	w.buf, w.sizes = w.buf[:0], w.sizes[:0]
	for i := range w.batch {
		var size int
		w.buf, size = appendFrame(w.buf, &w.batch[i], c.codec.Codec)
		w.sizes = append(w.sizes, size)
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(limit)); err != nil { // a socket's own clock
		return err
	}
	_, err := c.nc.Write(w.buf)
	return err
}

// wrote notes what became of a batch.
func (c *conn) wrote(w *writer, err error) {
	c.mu.Lock()
	relieved := c.landed(w, err)
	c.mu.Unlock()
	if relieved {
		c.logSlow(event.ActionSlowConsumerRecover, 0, 0, 0)
	}
}

// landed is wrote with c.mu held; it says whether a client that was slow keeps up again.
func (c *conn) landed(w *writer, err error) (relieved bool) {
	c.s.queuedBytes.Add(-int64(c.out.landed()))
	switch {
	case err == nil:
		numbered := 0
		for i := range w.batch {
			c.note(&w.batch[i], w.sizes[i])
			if w.batch[i].msg != nil {
				numbered++
			}
		}
		c.s.watch.wrote(numbered, len(w.buf))
		return c.relieved()
	case c.ending.begun:
	default:
		c.writeFailed(err)
	}
	// A frame may have been cut, so no close frame will follow. What the peer sent may still be read, but not from one
	// that has stopped taking anything.
	c.ending.closeFailed = true
	if c.ending.writeErr != nil {
		c.readUntil(lingerRead)
	} else {
		c.readUntil(0)
	}
	return false
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
func (c *conn) note(f *frame, size int) {
	switch {
	case f.isMessage():
		c.sent++
		c.bytesOut.Add(int64(size))
		c.s.counts.out.Add(1)
		c.s.metrics.out.Inc()
	case f.op == websocket.CloseMessage:
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
