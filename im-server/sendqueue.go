package imserver

import (
	"slices"
	"sync"

	"github.com/gorilla/websocket"
)

// frame is one WebSocket frame to be written: bytes, or a message that many get and that has a number of its own for
// each.
type frame struct {
	op   int // websocket.TextMessage, BinaryMessage, PingMessage, PongMessage, CloseMessage
	data []byte
	msg  *encoded // nil: data is it
	seq  int64    // of msg
	at   int64    // clock when it was queued
}

// size is about what the frame takes of the socket, in bytes.
func (f *frame) size() int {
	if f.msg == nil {
		return len(f.data)
	}
	return len(f.msg.Head) + len(f.msg.Tail) + numberSize
}

// numberSize is what a message's number takes at most.
const numberSize = 24

// isMessage says whether the frame carries an envelope.
func (f *frame) isMessage() bool {
	op := f.op &^ packedBit
	return op == websocket.TextMessage || op == websocket.BinaryMessage
}

// isBeat says whether the frame is a ping or a pong.
func (f *frame) isBeat() bool { return f.op == websocket.PingMessage || f.op == websocket.PongMessage }

// sendQueue is what waits to be written to one client, what is being written included. The zero sendQueue is empty and
// holds no memory: an idle connection has none. Not safe for concurrent use.
type sendQueue struct {
	frames []frame
	bytes  int // of all, those in flight included
	flight flight
}

// flight is what a writer has taken and not landed.
type flight struct {
	frames, bytes int
	at            int64 // clock when its first frame was queued
}

// len counts the frames, those in flight included.
func (q *sendQueue) len() int { return len(q.frames) + q.flight.frames }

func (q *sendQueue) push(f frame) {
	q.frames = append(q.frames, f)
	q.bytes += f.size()
}

// maxPongs is how many pongs may wait, and one ping.
const maxPongs = 16

// urgent queues a ping or a pong before all messages that wait. Of pings only the last is kept, and of many pongs the last
// takes the place of the one before, as RFC 6455 section 5.5.3 allows: a flood of them takes no memory. It gives by how
// much the queue has grown.
func (q *sendQueue) urgent(f frame) (grown int) {
	most := 1
	if f.op == websocket.PongMessage {
		most = maxPongs
	}
	i := 0
	for ; i < len(q.frames) && q.frames[i].isBeat(); i++ {
		old := &q.frames[i]
		if old.op != f.op {
			continue
		}
		if most--; most == 0 {
			grown = f.size() - old.size()
			old.data = f.data
			q.bytes += grown
			return grown
		}
	}
	q.frames = slices.Insert(q.frames, i, f)
	q.bytes += f.size()
	return f.size()
}

// oldest is the clock when the first that waits was queued. There must be one.
func (q *sendQueue) oldest() int64 {
	at := q.frames[0].at
	for i := range q.frames { // pings and pongs have passed by what is older
		at = min(at, q.frames[i].at)
		if !q.frames[i].isBeat() {
			break
		}
	}
	return at
}

// take appends the frames of one write to batch: up to most bytes, at least one frame, and nothing behind a close. The
// writer calls landed when they were written or given up.
func (q *sendQueue) take(batch []frame, most int) []frame {
	n, bytes := 0, 0
	for n < len(q.frames) && (n == 0 || bytes+q.frames[n].size() <= most) {
		bytes += q.frames[n].size()
		n++
		if q.frames[n-1].op == websocket.CloseMessage {
			break
		}
	}
	if n == 0 {
		return batch
	}
	q.flight = flight{frames: n, bytes: bytes, at: q.oldest()}
	batch = append(batch, q.frames[:n]...)
	if n == len(q.frames) {
		q.frames = nil
	} else {
		q.frames = q.frames[:copy(q.frames, q.frames[n:])]
	}
	return batch
}

// framePool keeps room for the frames of a few messages: most queues are short and soon empty. The zero framePool is
// ready. Safe for concurrent use.
type framePool struct{ pool sync.Pool }

// frameRoom is how many frames fit.
const frameRoom = 16

func (p *framePool) get() []frame {
	if room, ok := p.pool.Get().(*[frameRoom]frame); ok {
		return room[:0]
	}
	return make([]frame, 0, frameRoom)
}

// put takes back what get gave; what has grown is not kept.
func (p *framePool) put(frames []frame) {
	if cap(frames) == frameRoom {
		room := (*[frameRoom]frame)(frames[:frameRoom])
		clear(room[:])
		p.pool.Put(room)
	}
}

// landed ends the flight and gives its size.
func (q *sendQueue) landed() (freed int) {
	freed = q.flight.bytes
	q.bytes -= freed
	q.flight = flight{}
	return freed
}

// discard drops all that waits but what is in flight, and gives its size.
func (q *sendQueue) discard() (freed int) {
	freed = q.bytes - q.flight.bytes
	q.frames, q.bytes = nil, q.flight.bytes
	return freed
}

// age is how long the oldest frame has waited at the clock now; 0 if there is none.
func (q *sendQueue) age(now int64) int64 {
	switch {
	case q.flight.frames != 0:
		return now - q.flight.at
	case len(q.frames) > 0:
		return now - q.oldest()
	}
	return 0
}
