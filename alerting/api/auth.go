package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/oidc"
)

// The roles, each of which may do what those before it may.
const (
	Viewer    = "viewer"
	Responder = "responder"
	Admin     = "admin"
)

// Roles gives the roles, the least first.
func Roles() []string { return slices.Clone(roles) }

var roles = []string{Viewer, Responder, Admin} //nolint:gochecknoglobals // a table

// Bearer says whose a token is; an error is an *oidc.RefusedError.
type Bearer interface {
	Check(ctx context.Context, token string) (oidc.Person, error)
}

// The sources of a login, for metrics.
const (
	sourceNone  = "none"
	sourceToken = "token"
	sourceOIDC  = "oidc"
)

// login is what came of looking at who calls.
type login struct {
	who     desk.Who
	source  string
	result  string // ok, or why not
	words   string // why not, for the log and the caller
	status  int    // of the answer, where not
	after   time.Duration
	expires time.Time // of the token; zero: never
}

// enter finds who shows a token. An address from which too many came that do not count has to wait, but for tokens that came
// from there before and did count: whoever shares an address with a guesser is not shut out by him.
func (a *API) enter(r *http.Request) login {
	from := peer(r)
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return login{source: sourceNone, result: "missing", words: "a bearer token is needed", status: http.StatusUnauthorized}
	}
	sum := sha256.Sum256([]byte(token))
	now := a.now()
	if after := a.bound.waits(from, sum, now); after > 0 {
		return login{source: sourceNone, result: "limited", words: "too many tokens that do not count came from this address", status: http.StatusTooManyRequests, after: after}
	}
	l := a.identify(r, token, sum)
	l.who.From = from
	switch {
	case l.result == "ok":
		a.bound.passed(from, sum, l.expires, now)
	case l.status == http.StatusUnauthorized:
		a.bound.failed(from, now)
	}
	return l
}

// identify finds whose a token is.
func (a *API) identify(r *http.Request, token string, sum [sha256.Size]byte) login {
	found := -1
	for i := range a.tokens { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare(a.tokens[i][:], sum[:]) == 1 {
			found = i
		}
	}
	if found >= 0 {
		t := a.cfg.Tokens[found]
		return login{source: sourceToken, result: "ok", who: desk.Who{Name: t.Name, Role: t.Role}}
	}
	if a.deps.Bearer == nil || strings.Count(token, ".") != 2 {
		return login{source: sourceToken, result: "unknown", words: "a bearer token is needed: nobody has this one", status: http.StatusUnauthorized}
	}
	p, err := a.deps.Bearer.Check(r.Context(), token)
	switch why := oidc.Why(err); {
	case err == nil:
		return login{source: sourceOIDC, result: "ok", who: desk.Who{Name: p.Name, Role: p.Role}, expires: p.Expires}
	case why == oidc.Unavailable:
		return login{source: sourceOIDC, result: string(why), words: err.Error(), status: http.StatusServiceUnavailable, after: 5 * time.Second}
	default:
		return login{source: sourceOIDC, result: string(why), words: err.Error(), status: http.StatusUnauthorized}
	}
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
		l := a.enter(r)
		if l.result == "ok" && slices.Index(roles, l.who.Role) < slices.Index(roles, role) {
			l.result, l.status, l.words = "role", http.StatusForbidden, "role "+l.who.Role+" may not do this: "+role+" is needed"
			if l.who.Role == "" {
				l.words = "none of your groups has a role here: " + role + " is needed"
			}
		}
		a.deps.Login(l.source, l.result)
		if l.result != "ok" {
			a.refuse(w, r, &l)
			return
		}
		if err := h(w, r, l.who); err != nil {
			a.answer(w, err)
		}
	}
}

// refuse answers who is not let in, and says why in the log, where the token is not. What would
// fill it is said at level debug only.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, l *login) {
	log := a.log.WithFields(map[string]any{"from": peer(r), "source": l.source, "result": l.result, "name": l.who.Name, "method": r.Method, "path": r.URL.Path})
	if l.result == "missing" || l.result == "limited" {
		log.Debug("a caller is not let in: " + l.words)
	} else {
		log.Warn("a caller is not let in: " + l.words)
	}
	if l.status == http.StatusUnauthorized {
		challenge := `Bearer realm="imwatch"`
		if l.result != "missing" {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if l.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((l.after+time.Second-1)/time.Second)))
	}
	a.write(w, l.status, map[string]string{"error": l.words})
}
