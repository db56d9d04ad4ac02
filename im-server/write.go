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

// sendDelivery queues a message with its number in the session. The handout sees to it that it is written.
func (c *conn) sendDelivery(d *delivery, seq int64, h *handout) {
	f := frame{op: c.op(), msg: d.wire(c.codec), seq: seq, at: h.now}
	c.mu.Lock()
	p := keepsUp
	if !c.ending.begun {
		if c.queue(f) {
			h.conns = append(h.conns, c)
		}
		h.bytes += f.size()
		p = c.pressed()
	}
	c.mu.Unlock()
	c.press(p)
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
	mine := c.put(f)
	c.followControl(&f)
	if mine {
		go c.writeAlone()
	}
}

// put is queue for frames of all kinds: a beat goes before what waits. c.mu is held.
func (c *conn) put(f frame) (mine bool) {
	if f.isBeat() {
		c.s.queuedBytes.Add(int64(c.out.urgent(f)))
		return c.startWriting()
	}
	c.s.queuedBytes.Add(int64(f.size()))
	return c.queue(f)
}

// queue queues a frame, and says whether the caller must see to it that it is written: by write. c.mu is held.
func (c *conn) queue(f frame) (mine bool) {
	if c.out.frames == nil {
		c.out.frames = c.s.frames.get()
	}
	c.out.push(f)
	return c.startWriting()
}

// startWriting says whether the caller must see to it that what waits is written. c.mu is held.
func (c *conn) startWriting() (mine bool) {
	switch {
	case c.writing:
		return false
	case c.collects:
		c.left = true
	default:
		mine = true
	}
	c.writing = true
	return mine
}

// discard empties the queue. c.mu is held.
func (c *conn) discard() {
	c.s.queuedBytes.Add(-int64(c.out.discard()))
}

// writeAlone is the write goroutine. It ends when nothing waits.
func (c *conn) writeAlone() {
	w, _ := c.s.writers.Get().(*writer)
	defer w.release(c.s.writers)
	c.write(w, true)
}

// write writes what waits, until nothing does. Where the socket is full and the caller may not wait, the rest is left to
// a goroutine. Only who c.writing was set for calls it, once: nobody else writes to the socket meanwhile.
func (c *conn) write(w *writer, wait bool) {
	c.mu.Lock()
	more := c.take(w)
	c.mu.Unlock()
	if more {
		c.writeTaken(w, wait)
	}
}

// writeTaken is write with a batch that is taken.
func (c *conn) writeTaken(w *writer, wait bool) {
	defer c.rescue()
	for more := true; more; {
		w.encode(c.codec.Codec)
		n, err := w.out.now(&c.stream, w.buf)
		if err == nil && n < len(w.buf) {
			if !wait {
				go c.writeOn(c.handOver(w), n)
				return
			}
			err = c.writeRest(w, n)
		}
		more = c.wrote(w, err)
	}
}

// rescue ends a connection in whose writing there was a panic.
func (c *conn) rescue() {
	if p := recover(); p != nil {
		c.s.panicked(&c.client, p)
		c.end(event.CloseServerError, 0, nil)
		c.mu.Lock()
		c.stopWriting()
		c.mu.Unlock()
		c.cut()
	}
}

// handOver gives the batch of a writer a writer of its own.
func (c *conn) handOver(w *writer) *writer {
	own, _ := c.s.writers.Get().(*writer)
	own.batch, w.batch = w.batch, own.batch
	own.buf, w.buf = w.buf, own.buf
	own.written, own.limit = w.written, w.limit
	return own
}

// writeOn is a goroutine that goes on with a batch of which n bytes are written.
func (c *conn) writeOn(w *writer, n int) {
	defer w.release(c.s.writers)
	defer c.rescue()
	if c.wrote(w, c.writeRest(w, n)) {
		c.writeTaken(w, true)
	}
}

// take takes what one write may have, and says whether that is something. c.mu is held.
func (c *conn) take(w *writer) bool {
	if c.ending.closeSent || c.ending.closeFailed {
		c.discard() // nothing may follow a close frame
	}
	frames := c.out.frames
	w.batch = c.out.take(w.batch[:0], corked)
	if c.out.frames == nil {
		c.s.frames.put(frames)
	}
	if len(w.batch) == 0 {
		c.stopWriting()
		return false
	}
	w.limit = c.s.conf().Timeouts.Write
	if c.ending.begun {
		w.limit = c.s.conf().Timeouts.Close
	}
	for i := range w.batch {
		if w.batch[i].op == websocket.PingMessage && c.beat.timed == c.beat.number {
			c.beat.sentAt = c.s.clock() // the ping that waits is the last
		}
	}
	return true
}

// corked is how much goes into one write to a socket, in bytes, if frames are not larger.
const corked = 64 << 10

// writer is what one who writes needs for a time.
type writer struct {
	batch   []frame
	limit   time.Duration // that the batch may take
	buf     []byte        // the batch as it goes on the wire
	written written       // what is in buf
	out     writing
	conns   []*conn // that a flusher has before it
}

// written is what a batch has in it.
type written struct {
	messages, numbered int
	bytes              int  // of the messages
	closes             bool // the last is a close frame
}

func newWriters() *sync.Pool { return &sync.Pool{New: func() any { return new(writer) }} }

// release gives a writer back, unless it has grown large.
func (w *writer) release(to *sync.Pool) {
	clear(w.batch[:cap(w.batch)])
	clear(w.conns[:cap(w.conns)])
	if cap(w.buf) <= 2*corked && cap(w.batch) <= 4096 {
		to.Put(w)
	}
}

// encode makes the batch ready for one write: a system call for each frame would be most of the work. Frames are written
// past gorilla, which has no way to do that.
func (w *writer) encode(codec protocol.Codec) {
	w.buf, w.written = w.buf[:0], written{}
	for i := range w.batch {
		f := &w.batch[i]
		var size int
		w.buf, size = appendFrame(w.buf, f, codec)
		switch {
		case f.isMessage():
			w.written.messages++
			w.written.bytes += size
		case f.op == websocket.CloseMessage:
			w.written.closes = true
		}
		if f.msg != nil {
			w.written.numbered++
		}
	}
}

// writeRest writes what is left of a batch, as long as that takes.
func (c *conn) writeRest(w *writer, n int) error {
	nc := c.nc
	if err := nc.SetWriteDeadline(time.Now().Add(w.limit)); err != nil { // a socket's own clock
		return err
	}
	if _, err := nc.Write(w.buf[n:]); err != nil {
		return err
	}
	_ = nc.SetWriteDeadline(time.Time{}) // what is over would end the next write; a closed socket has none
	return nil
}

// wrote notes what became of a batch, and takes the next; false: there is none.
func (c *conn) wrote(w *writer, err error) (more bool) {
	c.mu.Lock()
	relieved := c.landed(w, err)
	more = c.take(w)
	c.mu.Unlock()
	if relieved {
		c.logSlow(event.ActionSlowConsumerRecover, 0, 0, 0)
	}
	return more
}

// landed notes what became of a batch, and says whether a client that was slow keeps up again. c.mu is held.
func (c *conn) landed(w *writer, err error) (relieved bool) {
	c.s.queuedBytes.Add(-int64(c.out.landed()))
	switch {
	case err == nil:
		c.note(&w.written)
		c.s.watch.wrote(w.written.numbered, len(w.buf))
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

// note counts what was written. c.mu is held.
func (c *conn) note(n *written) {
	if n.messages > 0 {
		c.sent += int64(n.messages)
		c.bytesOut.Add(int64(n.bytes))
		c.s.counts.out.Add(int64(n.messages))
		c.s.metrics.out.Add(float64(n.messages))
	}
	if n.closes {
		c.ending.closeSent = true
	}
}

// stopWriting says that nobody writes any more. c.mu is held.
func (c *conn) stopWriting() {
	c.writing = false
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// waitWriter waits until nobody writes or will, at most limit; 0 is without limit.
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
