package client

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"

	"github.com/gorilla/websocket"
)

// classify says what the error that ended a connection's reading means.
func classify(err error) *CloseError {
	var ce *websocket.CloseError
	if errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure {
		return closedBy(ce.Code, ce.Text)
	}
	e := &CloseError{Retry: true, Cause: err, Reason: event.CloseClientGone.Reason}
	var ne net.Error
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		e.Reason = event.ClosePeerReset.Reason
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		e.Reason = event.CloseNetTimeout.Reason
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), ce != nil:
	case errors.Is(err, websocket.ErrReadLimit):
		e.Reason = event.CloseMessageTooBig.Reason
	}
	return e
}

// closedBy reads a close frame. The reason's own rule wins, for a session that was replaced has a code that says come
// back; without a known reason the code's range decides.
func closedBy(code int, text string) *CloseError {
	e := &CloseError{Code: code, Retry: retryByCode(code), Reason: reasonByCode(code)}
	ct, err := protocol.ParseCloseText(text)
	if err != nil {
		return e
	}
	e.Wait, e.Fresh = time.Duration(ct.RetryMS)*time.Millisecond, ct.Fresh
	if r, ok := event.CloseReasonByName(ct.Reason); ok {
		e.Reason = r.Reason
		e.Retry = e.Retry && r.Retry != event.RetryNever
	}
	return e
}

// retryByCode is the rule of the ranges: 4000 to 4499 come back, 4500 to 4999 never. Of RFC 6455's own, those that say
// something is wrong with the server or the way to it are worth another try; those that say the client is wrong are not.
func retryByCode(code int) bool {
	switch code {
	case websocket.CloseGoingAway, websocket.CloseInternalServerErr, websocket.CloseServiceRestart, websocket.CloseTryAgainLater, websocket.CloseNoStatusReceived:
		return true
	}
	return code >= 4000 && code < 4500
}

// reasonByCode gives the contract's word for a code that came without one.
func reasonByCode(code int) string {
	for _, r := range event.CloseReasons() {
		if r.Code == code {
			return r.Reason
		}
	}
	switch code {
	case websocket.CloseServiceRestart:
		return event.CloseDrain.Reason
	case websocket.CloseTryAgainLater:
		return event.CloseOverload.Reason
	case websocket.CloseProtocolError, websocket.CloseUnsupportedData, websocket.CloseInvalidFramePayloadData:
		return event.CloseProtocolError.Reason
	case websocket.ClosePolicyViolation:
		return event.ClosePermission.Reason
	case websocket.CloseNoStatusReceived:
		return event.CloseGoingAway.Reason
	}
	return event.CloseServerError.Reason
}
