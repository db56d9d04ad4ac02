package ops

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// HeaderActor is where a caller says who it is, for the log. The token alone decides what it may do.
const HeaderActor = "X-Imwatch-Actor"

// authorize lets a request with the right token through to h.
func (a *API) authorize(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wanted := a.deps.Token()
		scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		switch {
		case wanted == "":
			refuse(w, http.StatusForbidden, "ops_token is not configured: /-/ is switched off")
		case !strings.EqualFold(scheme, "Bearer"):
			w.Header().Set("WWW-Authenticate", `Bearer realm="im-server operations"`)
			refuse(w, http.StatusUnauthorized, "send the header Authorization: Bearer TOKEN, with the ops_token of the configuration")
		case !equal(strings.TrimSpace(got), wanted):
			w.Header().Set("WWW-Authenticate", `Bearer realm="im-server operations", error="invalid_token"`)
			refuse(w, http.StatusUnauthorized, "the token is not the ops_token of the configuration")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// equal compares in a time that does not depend on where, or by how much, the two differ.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// actor says for the log who calls.
func actor(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, r.Header.Get(HeaderActor))
	if len(name) > 64 {
		name = name[:64]
	}
	if name = strings.ToValidUTF8(name, ""); name == "" {
		return "operations API from " + host
	}
	return fmt.Sprintf("%s by the operations API from %s", name, host)
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]any{"error": text, "status": status})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(body) // the client is away: nobody is left to tell
}
