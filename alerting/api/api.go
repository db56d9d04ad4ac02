package api

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"net/http"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/oncall"
	"imwatch/event"

	"github.com/sirupsen/logrus"
)

// Deps is what the interface works with.
type Deps struct {
	Desk *desk.Desk
	Look desk.Store // where alerts and notifications are
	// Inhibited gives the alert that fires and holds one back; nil: nothing is held back so.
	Inhibited func(*event.Alert) (event.Alert, bool)
	// Bearer says whose a token of an OpenID Connect provider is; nil: there is none.
	Bearer Bearer
	// Login is called for each request that shows something to be let in by: source is token (of the configuration), oidc or
	// none, result ok, role (it may not do this), limited, or why not.
	Login func(source, result string)
	// Roster says who is on call.
	Roster *oncall.Roster
	Now    func() time.Time
	Log    logrus.FieldLogger
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
	bound  *bound
	mux    *http.ServeMux
}

//go:embed openapi.json
var openapi []byte

// New makes the interface of a valid configuration.
func New(cfg Config, deps Deps) *API {
	a := &API{cfg: cfg, desk: deps.Desk, look: deps.Look, deps: deps, now: deps.Now, log: deps.Log, bound: newBound(), mux: http.NewServeMux()}
	if a.deps.Login == nil {
		a.deps.Login = func(string, string) {}
	}
	for _, t := range cfg.Tokens {
		a.tokens = append(a.tokens, sha256.Sum256([]byte(t.Token)))
	}
	a.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openapi) // the caller may have gone
	})
	for _, r := range a.calls() {
		a.mux.HandleFunc(r.pattern, a.with(r.role, r.handler))
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} { // else it would be taken for a silence's id
		a.mux.HandleFunc(method+" /api/v1/silences/preview", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", http.MethodPost)
			a.answer(w, &refusal{http.StatusMethodNotAllowed, "expected POST"})
		})
	}
	a.mux.HandleFunc("GET "+LinkPath+"{link}", a.linkPage)
	a.mux.HandleFunc("POST "+LinkPath+"{link}", a.linkAct)
	return a
}

// call is what can be asked, and the least role that may make it.
type call struct {
	pattern string
	role    string
	handler handler
}

// calls gives every call that asks for a role.
func (a *API) calls() []call {
	return []call{
		{"GET /api/v1/alerts", Viewer, a.alerts},
		{"GET /api/v1/alerts/{id}", Viewer, a.alert},
		{"POST /api/v1/alerts/{id}/ack", Responder, a.ack},
		{"DELETE /api/v1/alerts/{id}/ack", Responder, a.takeBack},
		{"GET /api/v1/silences", Viewer, a.silences},
		{"POST /api/v1/silences", Responder, a.addSilence},
		{"POST /api/v1/silences/preview", Viewer, a.preview},
		{"GET /api/v1/silences/{id}", Viewer, a.silence},
		{"PUT /api/v1/silences/{id}", Responder, a.editSilence},
		{"DELETE /api/v1/silences/{id}", Responder, a.endSilence},
		{"POST /api/v1/silences/{id}/extend", Responder, a.extendSilence},
		{"GET /api/v1/oncall", Viewer, a.onCall},
		{"GET /api/v1/oncall/shifts", Viewer, a.shifts},
		{"GET /api/v1/oncall/overrides", Viewer, a.overrides},
		{"POST /api/v1/oncall/overrides", Responder, a.addOverride},
		{"DELETE /api/v1/oncall/overrides/{id}", Responder, a.endOverride},
		{"GET /api/v1/audit", Admin, a.audit},
	}
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody) // also where nobody reads it
	a.mux.ServeHTTP(w, r.WithContext(ctx))
}

// patience is how long a request may take.
const patience = 20 * time.Second
