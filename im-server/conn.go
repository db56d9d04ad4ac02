package imserver

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/eventlog"
	"imwatch/im-server/framing"
	"imwatch/im-server/ops"
	"imwatch/im-server/protocol"
)

// conn is one open connection. Its read goroutine lives as long as it does and is the only one to finish it; a write
// goroutine exists while there is something to write. Safe for concurrent use where nothing else is said.
type conn struct {
	s       *Server
	nc      net.Conn
	stream  stream         // reads and writes nc
	in      framing.Reader // the read goroutine's
	timing  uint32         // what has a time to come whole, by the number of in; 0: nothing. The read goroutine's
	codec   codec
	id      string
	sess    *session // nil until one is bound
	arrival *arrival // nil since then; both are the read goroutine's, or bind's before there is one
	client  clientInfo
	opened  time.Time
	began   int64 // when its handshake did, nanoseconds since 1970
	logged  bool  // its connect line was taken by the log

	held holding // guarded by the Server's held

	burst    burst // the read goroutine's
	errors   int   // refused messages; owned by the read goroutine
	rate     sendBucket
	spare    tokenBucket              // of frames that are no messages; the read goroutine's
	watching []string                 // users; guarded by the watchers
	identity atomic.Pointer[Identity] // who the last token says; nil: none was checked yet

	lastRx     atomic.Int64 // clock when anything was received
	lastSaid   atomic.Int64 // clock when a message was; 0: none was
	bytesIn    atomic.Int64
	bytesOut   atomic.Int64
	messagesIn atomic.Int64

	mu         sync.Mutex // guards the fields below
	out        sendQueue
	writing    bool                  // somebody writes, or will: a goroutine, the reader, the flusher
	collects   bool                  // the reader has input, and writes before it waits
	left       bool                  // to it
	idle       chan struct{}         // closed when the write goroutine ends; made only when somebody waits
	bound      bool                  // it has a session, and a connect in the log
	refusedFor event.HandshakeReason // why it got none
	slowTold   bool                  // it was said that the client is slow
	slowAt     int64                 // clock when
	sent       int64                 // envelopes written
	beat       heartbeat
	ending     ending
	orphaned   int64 // others have written its end, as of then (nanoseconds since 1970); 0: nobody has

	place wheelEntry // in the wheel, which guards it
}

func newConn(s *Server, ws *websocket.Conn, client clientInfo, packs bool) *conn {
	c := &conn{s: s, nc: ws.NetConn(), codec: s.codecNamed(ws.Subprotocol()), id: newID(), client: client}
	c.stream.init(c.nc, c.beforeWait)
	c.identity.Store(client.identity)
	c.in = framing.NewReader(socketReader{c}, s.pool, packs)
	if packs {
		c.codec.packs = s.packing
	}
	c.lastRx.Store(s.clock())
	return c
}

// describe sets what all lines of the connection have in common.
func (c *conn) describe(ev *event.Event) {
	c.client.describe(ev)
	ev.SetText(event.FieldConnID, c.id)
	if c.sess != nil {
		ev.SetText(event.FieldSessionID, c.sess.id)
	}
}

// event begins an event of the connection.
func (c *conn) event(a event.Action) *event.Event {
	ev := c.s.event(a, c.s.now())
	c.describe(ev)
	return ev
}

// record is what the ledger keeps.
func (c *conn) record() eventlog.Record {
	return eventlog.Record{
		ID: c.id, At: c.opened.UnixNano(), Session: c.sess.id, User: c.client.user, Device: c.client.device,
		Owner: c, IP: c.client.ip, Port: int(c.client.port), Trace: c.client.trace.trace, Span: c.client.trace.span,
	}
}

// reply queues an envelope that has no number.
func (c *conn) reply(t protocol.Type, id string, payload protocol.Payload) {
	e := protocol.Envelope{Type: t, ID: id, TS: c.s.now().UnixMilli(), Payload: payload}
	data := c.codec.Append(nil, &e)
	c.s.watch.out[t].Inc()
	c.follow(ops.DirOut, string(t), len(data))
	c.send(c.codec.packs.frame(frame{op: c.op(), data: data}))
}

// alive notes a sign of life.
func (c *conn) alive() { c.lastRx.Store(c.s.clock()) }
