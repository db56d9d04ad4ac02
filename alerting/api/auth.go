package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strings"

	"imwatch/alerting/desk"
)

// The roles, each of which may do what those before it may.
const (
	Viewer    = "viewer"
	Responder = "responder"
	Admin     = "admin"
)

var roles = []string{Viewer, Responder, Admin} //nolint:gochecknoglobals // a table

// caller finds who shows a token; false if nobody known does.
func (a *API) caller(r *http.Request) (desk.Who, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return desk.Who{}, false
	}
	sum, found := sha256.Sum256([]byte(strings.TrimSpace(token))), -1
	for i := range a.tokens { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare(a.tokens[i][:], sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return desk.Who{}, false
	}
	t := a.cfg.Tokens[found]
	return desk.Who{Name: t.Name, Role: t.Role, From: peer(r)}, true
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// handler is a handler that knows its caller.
type handler func(w http.ResponseWriter, r *http.Request, who desk.Who) error

// with lets callers of a role or of one above it through.
func (a *API) with(role string, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := a.caller(r)
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", `Bearer realm="imwatch"`)
			a.answer(w, &refusal{http.StatusUnauthorized, "a bearer token is needed"})
			return
		case slices.Index(roles, who.Role) < slices.Index(roles, role):
			a.answer(w, &refusal{http.StatusForbidden, "role " + who.Role + " may not do this: " + role + " is needed"})
			return
		}
		if err := h(w, r, who); err != nil {
			a.answer(w, err)
		}
	}
}
