package imserver

import (
	"bytes"
	"math"
	"strconv"
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
	early    bool        // it came to no handler
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
	if r.early || r.reason.Stage == event.StageRate {
		s.folder.add(r, now)
		return
	}
	s.logRefusal(r, 1, now)
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

// diagnostics takes net/http's error log.
type diagnostics struct{ s *Server }

func (d diagnostics) Write(line []byte) (int, error) {
	d.s.deps.Log.Debug(string(bytes.TrimSpace(line)))
	return len(line), nil
}
