package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// OpsConfig is the listener for those who run the program; it should not be reachable from outside.
type OpsConfig struct {
	Addr  string `yaml:"addr" doc:"where /metrics, /healthz, /readyz, /debug/pprof, of the detector /-/rules, of consumers /-/scale, of the shipper /-/files and /-/ship and of the indexer /-/index are served; empty: nowhere"`
	Token string `yaml:"token" secret:"true" doc:"bearer token of /-/files, /-/ship and /-/index on addr, at least 16 bytes; empty: these are switched off"`
}

func (c OpsConfig) validate() error {
	if c.Token != "" && len(c.Token) < minToken {
		return fmt.Errorf("token: must have at least %d bytes, not %d", minToken, len(c.Token))
	}
	return nil
}

// minToken is how short a token may be.
const minToken = 16

// guarded lets requests with the right token through to h.
func (c OpsConfig) guarded(h http.Handler) http.Handler {
	want := sha256.Sum256([]byte(c.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(token)))
		refuse := func(status int, text string) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": text, "status": status}) // who asked has gone away
		}
		switch {
		case c.Token == "":
			refuse(http.StatusForbidden, "ops.token is not configured: "+r.URL.Path+" is switched off")
		case !strings.EqualFold(scheme, "Bearer"):
			w.Header().Set("WWW-Authenticate", `Bearer realm="imwatch operations"`)
			refuse(http.StatusUnauthorized, "send the header Authorization: Bearer TOKEN, with ops.token of the configuration")
		case subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			w.Header().Set("WWW-Authenticate", `Bearer realm="imwatch operations", error="invalid_token"`)
			refuse(http.StatusUnauthorized, "the token is not ops.token of the configuration")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// check says whether something that the process needs is there.
type check struct {
	name string
	ping func(context.Context) error
}

// opsServer serves metrics, health and profiles of the process.
type opsServer struct {
	listener net.Listener
	server   *http.Server
}

// page is what a stage shows on the listener.
type page struct {
	pattern string
	handler http.Handler
}

func newOps(ctx context.Context, cfg OpsConfig, reg prometheus.Gatherer, checks []check, pages ...page) (*opsServer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening for operations: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", readyz(checks))
	for _, p := range pages {
		mux.Handle(p.pattern, p.handler)
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &opsServer{l, &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}

// readyz answers 503 with the names of what is away.
func readyz(checks []check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		var errs []error
		for _, c := range checks {
			if err := c.ping(ctx); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			}
		}
		if err := errors.Join(errs...); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	}
}

func (o *opsServer) addr() string { return o.listener.Addr().String() }

func (o *opsServer) run(ctx context.Context) error {
	stopped := make(chan error, 1)
	go func() { stopped <- o.server.Serve(o.listener) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serving operations: %w", err)
	case <-ctx.Done():
	}
	err := o.server.Close()
	if served := <-stopped; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
