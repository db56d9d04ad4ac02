package imserver

import (
	"net/http"
	"strconv"
	"strings"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// clientInfo is what is known of a client from its request: what its lines in the log have in common.
type clientInfo struct {
	ip         string
	port       int64
	destPort   int64
	user       string
	identity   *Identity // nil until a token was checked
	device     string
	platform   string
	appVersion string
	agent      string
	trace      traceContext
}

// Longest texts that are kept of what a client says of itself.
const (
	maxShort = 32
	maxAgent = 256
)

func (s *Server) newClientInfo(r *http.Request) clientInfo {
	c := clientInfo{
		device:     said(r, protocol.HeaderDevice, protocol.QueryDevice, protocol.MaxName),
		platform:   said(r, protocol.HeaderPlatform, protocol.QueryPlatform, maxShort),
		appVersion: said(r, protocol.HeaderAppVersion, protocol.QueryAppVersion, maxShort),
		agent:      clipText(r.UserAgent(), maxAgent),
		trace:      continueTrace(r.Header.Get("traceparent")),
	}
	if at := clientAddr(r, s.conf().ForwardedHeader, s.trusted); at.IsValid() {
		c.ip, c.port = at.Addr().String(), int64(at.Port())
	}
	c.destPort = localPort(r)
	return c
}

func (c *clientInfo) describe(ev *event.Event) {
	c.trace.describe(ev)
	ev.SetText(event.FieldClientIP, c.ip)
	if c.port > 0 {
		ev.SetInt(event.FieldClientPort, c.port)
	}
	if c.destPort > 0 {
		ev.SetInt(event.FieldDestinationPort, c.destPort)
	}
	ev.SetText(event.FieldUserID, c.user)
	ev.SetText(event.FieldDeviceID, c.device)
	ev.SetText(event.FieldPlatform, c.platform)
	ev.SetText(event.FieldAppVersion, c.appVersion)
	ev.SetText(event.FieldUserAgent, c.agent)
}

// hints are what a client says of its connection before.
type hints struct {
	attempt, prevLife int64 // -1: not said
	prevReason        string
}

func newHints(r *http.Request) hints {
	q := r.URL.Query()
	h := hints{attempt: count(q.Get(protocol.QueryAttempt)), prevLife: count(q.Get(protocol.QueryPrevLife))}
	if reason, ok := event.CloseReasonByName(q.Get(protocol.QueryPrevReason)); ok {
		h.prevReason = reason.Reason
	}
	return h
}

func (h *hints) describe(ev *event.Event) {
	if h.attempt >= 0 {
		ev.SetInt(event.FieldConnAttempt, h.attempt)
	}
	ev.SetText(event.FieldConnPrevReason, h.prevReason)
	if h.prevLife >= 0 {
		ev.SetInt(event.FieldConnPrevLife, h.prevLife)
	}
}

// count reads a number that a client says; -1 if it is none.
func count(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n >= 1<<53 {
		return -1
	}
	return n
}

// requestInfo is what the log says of a request.
type requestInfo struct {
	method, version, path string
}

func newRequestInfo(r *http.Request) requestInfo {
	return requestInfo{
		method:  clipText(r.Method, maxShort),
		version: strings.TrimPrefix(r.Proto, "HTTP/"),
		path:    clipText(r.URL.Path, 1024), // never the query: a token may stand there
	}
}

func (i *requestInfo) describe(ev *event.Event) {
	ev.SetText(event.FieldHTTPMethod, i.method)
	ev.SetText(event.FieldHTTPVersion, i.version)
	ev.SetText(event.FieldURLPath, i.path)
}

// said gives a text of the header, or else of the query; "" if it is longer than most or has control characters.
func said(r *http.Request, header, query string, most int) string {
	s := r.Header.Get(header)
	if s == "" {
		s = r.URL.Query().Get(query)
	}
	if len(s) > most || protocol.CheckName(s) != nil {
		return ""
	}
	return s
}

func clipText(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// bearer gives the token of a request, of the header or else of the query.
func bearer(r *http.Request) string {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(token)
		}
	}
	return r.URL.Query().Get(protocol.QueryToken)
}

// secondFactor gives the code of a request, of the header or else of the query.
func secondFactor(r *http.Request) string {
	return said(r, protocol.HeaderFactor, protocol.QueryFactor, protocol.MaxName)
}
