package imserver

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/gorilla/websocket"

	"imwatch/event"
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
	if errorClass(err) == classDeadline && c.ending.writeErr != nil {
		err = c.ending.writeErr // nothing was left to read
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
	classOther      = "other"
)

func errorClass(err error) string {
	if _, stalled := errors.AsType[*stallError](err); stalled {
		return classStalled
	}
	closed, isClose := errors.AsType[*websocket.CloseError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isClose && closed.Code == websocket.CloseAbnormalClosure:
		return classEOF
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return classReset
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return classLocal
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), timedOut(err) && strings.Contains(err.Error(), syscall.ETIMEDOUT.Error()):
		return classNetTimeout // gorilla leaves only the words of an error that is temporary, as this one counts
	case timedOut(err):
		return classDeadline
	case answeredByGorilla(err), err != nil && strings.Contains(err.Error(), "tls: "):
		return classProtocol
	}
	return classOther
}

func timedOut(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// answeredByGorilla says whether a failed read is a frame against RFC 6455, which gorilla has answered with a close
// frame by itself. It has no type for these.
func answeredByGorilla(err error) bool {
	_, isClose := errors.AsType[*websocket.CloseError](err)
	return err != nil && !isClose && !timedOut(err) && strings.HasPrefix(err.Error(), "websocket: ")
}
