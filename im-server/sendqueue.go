package imserver

// frame is one WebSocket frame to be written.
type frame struct {
	op   int // websocket.TextMessage, PingMessage, PongMessage, CloseMessage
	data []byte
	at   int64 // clock when it was queued
}

// sendQueue is what waits to be written to one client, the frame that is being written included. The zero sendQueue is
// empty and holds no memory: an idle connection has none. Not safe for concurrent use.
type sendQueue struct {
	frames []frame
	next   int // index of the first frame that waits
	bytes  int // of all, the flying one included
	flying frame
}

// len counts the frames, the flying one included.
func (q *sendQueue) len() int {
	n := len(q.frames) - q.next
	if q.flying.op != 0 {
		n++
	}
	return n
}

func (q *sendQueue) push(f frame) {
	q.frames = append(q.frames, f)
	q.bytes += len(f.data)
}

// take gives the first frame to a writer, who calls landed when it was written or given up.
func (q *sendQueue) take() (frame, bool) {
	if q.next == len(q.frames) {
		return frame{}, false
	}
	q.flying = q.frames[q.next]
	q.frames[q.next] = frame{}
	q.next++
	switch {
	case q.next == len(q.frames):
		q.frames, q.next = nil, 0
	case q.next >= 64 && q.next*2 >= len(q.frames): // keep the slice from growing without end
		n := copy(q.frames, q.frames[q.next:])
		clear(q.frames[n:])
		q.frames, q.next = q.frames[:n], 0
	}
	return q.flying, true
}

// landed ends the flight of the frame taken last and gives its size.
func (q *sendQueue) landed() (freed int) {
	freed = len(q.flying.data)
	q.bytes -= freed
	q.flying = frame{}
	return freed
}

// discard drops all that waits but the flying frame and gives its size.
func (q *sendQueue) discard() (freed int) {
	freed = q.bytes - len(q.flying.data)
	q.frames, q.next, q.bytes = nil, 0, len(q.flying.data)
	return freed
}

// age is how long the oldest frame has waited at the clock now; 0 if there is none.
func (q *sendQueue) age(now int64) int64 {
	switch {
	case q.flying.op != 0:
		return now - q.flying.at
	case q.next < len(q.frames):
		return now - q.frames[q.next].at
	}
	return 0
}
