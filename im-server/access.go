package imserver

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"imwatch/event"
	"imwatch/im-server/accept"
)

// access writes one http_request line for a request, and catches panics of its handler.
func (s *Server) access(g *gin.Context) {
	accept.Served(g.Request.Context())
	began := s.now()
	client := s.newClientInfo(g.Request)
	defer func() {
		if p := recover(); p != nil {
			s.panicked(&client, p)
			g.AbortWithStatus(http.StatusInternalServerError)
		}
		status := g.Writer.Status()
		ev := s.event(event.ActionHTTPRequest, s.now())
		client.describe(ev)
		request := newRequestInfo(g.Request)
		request.describe(ev)
		ev.SetInt(event.FieldHTTPStatus, int64(status))
		ev.SetInt(event.FieldEventDuration, int64(s.now().Sub(began)))
		if status >= http.StatusBadRequest {
			ev.SetText(event.FieldEventOutcome, event.OutcomeFailure)
		}
		if status >= http.StatusInternalServerError {
			ev.SetText(event.FieldLogLevel, event.LevelError)
		}
		s.emit(ev)
	}()
	g.Next()
}

// panicked writes the line of a panic that was caught. client may be nil. The stack goes to the diagnostics: it may be
// larger than a line.
func (s *Server) panicked(client *clientInfo, p any) {
	s.metrics.panics.Inc()
	ev := s.event(event.ActionPanic, s.now())
	if client != nil {
		client.describe(ev)
	} else {
		trace := continueTrace("")
		trace.describe(ev)
	}
	text := clipText(fmt.Sprint(p), maxErrorText)
	ev.SetText(event.FieldErrorType, "panic")
	ev.SetText(event.FieldErrorMessage, text)
	s.emit(ev)
	s.deps.Log.WithField("stack", string(debug.Stack())).Error("caught a panic: " + text)
}
