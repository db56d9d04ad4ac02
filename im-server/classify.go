package imserver

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/gorilla/websocket"

	"imwatch/event"
	"imwatch/im-server/framing"
)

// closeByPeer gives the reason of an end that the client began with a close frame.
func closeByPeer(code int) event.CloseReason {
	switch code {
	case websocket.CloseNormalClosure, websocket.CloseNoStatusReceived:
		return event.CloseNormal
	case event.CloseLogout.Code:
		return event.CloseLogout
	case websocket.CloseProtocolError, websocket.CloseUnsupportedData, websocket.CloseInvalidFramePayloadData,
		websocket.CloseMessageTooBig, websocket.CloseMandatoryExtension:
		r := event.CloseProtocolError // it did not understand us
		r.Initiator = event.ByClient
		return r
	}
	return event.CloseGoingAway // 1001, and codes of the client's own: it leaves, and may be back
}

// classify gives the reason of an end that showed as a failed read. c.mu is held.
func (c *conn) classify(err error) (event.CloseReason, error) {
	switch {
	case c.ending.writeErr == nil:
	case errorClass(err) == classDeadline:
		err = c.ending.writeErr // nothing was left to read
	case errorClass(err) == classEOF && errors.Is(c.ending.writeErr, syscall.ECONNRESET):
		err = c.ending.writeErr // the system tells of a reset once, to whoever calls first; the next sees an end of stream
	}
	class := errorClass(err)
	switch class {
	case classEOF:
		return event.CloseClientGone, err
	case classReset:
		return event.ClosePeerReset, err
	case classNetTimeout:
		return event.CloseNetTimeout, err
	case classProtocol:
		return event.CloseProtocolError, err
	case classLocal, classDeadline:
		return event.CloseServerError, err // only an end of ours closes a socket or sets a deadline, and it has a reason
	}
	c.s.metrics.unclassified.Inc()
	c.s.deps.Log.WithError(err).WithField("connection", c.id).Error("a connection ended by an error that is not known")
	return event.CloseClientGone, err
}

// The classes of errors (error.type of a disconnect).
const (
	classEOF        = "eof"
	classReset      = "reset"
	classNetTimeout = "timeout_network"
	classDeadline   = "timeout"
	classProtocol   = "protocol"
	classLocal      = "closed_local"
	classStalled    = "stalled"
	classLimit      = "limit"
	classOther      = "other"
)

func errorClass(err error) string {
	if _, stalled := errors.AsType[*stallError](err); stalled {
		return classStalled
	}
	bad, isBad := errors.AsType[*framing.Error](err)
	_, flood := errors.AsType[*floodError](err)
	switch {
	case flood, isBad && bad.Code == event.CloseMessageTooBig.Code:
		return classLimit
	case isBad:
		return classProtocol
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return classEOF
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return classReset
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return classLocal
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ETIMEDOUT):
		return classNetTimeout
	case timedOut(err):
		return classDeadline
	case err != nil && strings.Contains(err.Error(), "tls: "):
		return classProtocol
	}
	return classOther
}

func timedOut(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
