package imserver

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// refusal is why a handshake failed.
type refusal struct {
	reason event.HandshakeReason
	wait   time.Duration // Retry-After, where the reason has one
	err    error         // for the log; may be nil
}

// refused is a failed handshake as the log gets it.
type refused struct {
	refusal
	client   clientInfo
	duration time.Duration
	status   int
	request  requestInfo // zero where there was none
}

// refuse answers a handshake that failed, gives its place back and writes the line.
func (s *Server) refuse(h *handshake, r refusal) {
	if h.slot {
		h.slot = false
		s.freeSlot()
	}
	status := 0
	if !h.g.Writer.Written() { // else the connection has left HTTP
		status = r.reason.Status
		if r.reason.RetryAfter {
			h.g.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(r.wait.Seconds())))))
		}
		h.g.JSON(status, protocol.Refusal{Reason: r.reason.Reason, Text: r.reason.Text})
	}
	s.noteRefusal(refused{
		refusal: r, client: h.client, request: newRequestInfo(h.g.Request), duration: s.now().Sub(h.began), status: status,
	})
}

// noteRefusal counts a failed handshake and writes its line; those that a client can make without end are folded.
func (s *Server) noteRefusal(r refused) {
	s.metrics.handshakes.WithLabelValues("failure", r.reason.Stage, r.reason.Reason).Inc()
	now := s.now()
	switch r.reason.Stage {
	case event.StageRate, event.StageTLS:
		s.folder.add(r, now)
	default:
		s.logRefusal(r, 1, now)
	}
}

func (s *Server) logRefusal(r refused, weight int64, at time.Time) {
	ev := s.event(event.ActionHandshakeFailure, at)
	r.client.describe(ev)
	r.request.describe(ev)
	ev.SetText(event.FieldLogLevel, r.reason.Level)
	ev.SetText(event.FieldHandshakeStage, r.reason.Stage)
	ev.SetText(event.FieldEventReason, r.reason.Reason)
	ev.SetInt(event.FieldEventDuration, int64(r.duration))
	if r.status != 0 {
		ev.SetInt(event.FieldHTTPStatus, int64(r.status))
	}
	ev.SetText(event.FieldErrorCode, r.reason.Reason)
	if r.err != nil {
		ev.SetText(event.FieldErrorMessage, clipText(r.err.Error(), maxErrorText))
	}
	if weight > 1 {
		ev.SetFloat(event.FieldSampleWeight, float64(weight))
	}
	s.emit(ev)
}

// maxErrorText keeps a line below the contract's limit whatever an error says.
const maxErrorText = 1024

// tlsErrors takes net/http's error log: the only place where a failed TLS handshake is told. Other lines go to the
// diagnostics.
type tlsErrors struct{ s *Server }

func (t tlsErrors) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	rest, ok := strings.CutPrefix(text, "http: TLS handshake error from ")
	if !ok {
		t.s.deps.Log.Debug(text)
		return len(line), nil
	}
	addr, cause, _ := strings.Cut(rest, ": ")
	r := refused{refusal: refusal{reason: event.HandshakeTLS, err: errors.New(cause)}, client: clientInfo{trace: continueTrace("")}}
	if peer, err := netip.ParseAddrPort(addr); err == nil {
		r.client.ip, r.client.port = peer.Addr().Unmap().WithZone("").String(), int64(peer.Port())
	}
	t.s.noteRefusal(r)
	return len(line), nil
}
