package api

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"net/http"
	"time"

	"imwatch/alerting/desk"
	"imwatch/event"

	"github.com/sirupsen/logrus"
)

// Deps is what the interface works with.
type Deps struct {
	Desk *desk.Desk
	Look desk.Store // where alerts and notifications are
	// Inhibited gives the alert that fires and holds one back; nil: nothing is held back so.
	Inhibited func(*event.Alert) (event.Alert, bool)
	Now       func() time.Time
	Log       logrus.FieldLogger
}

// API is the interface, an http.Handler. Safe for concurrent use.
type API struct {
	cfg    Config
	desk   *desk.Desk
	look   desk.Store
	deps   Deps
	now    func() time.Time
	log    logrus.FieldLogger
	tokens [][sha256.Size]byte
	mux    *http.ServeMux
}

//go:embed openapi.json
var openapi []byte

// New makes the interface of a valid configuration.
func New(cfg Config, deps Deps) *API {
	a := &API{cfg: cfg, desk: deps.Desk, look: deps.Look, deps: deps, now: deps.Now, log: deps.Log, mux: http.NewServeMux()}
	for _, t := range cfg.Tokens {
		a.tokens = append(a.tokens, sha256.Sum256([]byte(t.Token)))
	}
	a.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openapi) // the caller may have gone
	})
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /api/v1/alerts":             a.with(Viewer, a.alerts),
		"GET /api/v1/alerts/{id}":        a.with(Viewer, a.alert),
		"POST /api/v1/alerts/{id}/ack":   a.with(Responder, a.ack),
		"DELETE /api/v1/alerts/{id}/ack": a.with(Responder, a.takeBack),
		"GET /api/v1/silences":           a.with(Viewer, a.silences),
		"POST /api/v1/silences":          a.with(Responder, a.addSilence),
		"GET /api/v1/silences/{id}":      a.with(Viewer, a.silence),
		"DELETE /api/v1/silences/{id}":   a.with(Responder, a.endSilence),
		"GET /api/v1/audit":              a.with(Admin, a.audit),
		"GET " + LinkPath + "{link}":     a.linkPage,
		"POST " + LinkPath + "{link}":    a.linkAct,
	} {
		a.mux.HandleFunc(pattern, h)
	}
	return a
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a.mux.ServeHTTP(w, r.WithContext(ctx))
}

// patience is how long a request may take.
const patience = 20 * time.Second
