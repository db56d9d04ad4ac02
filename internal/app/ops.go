package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// OpsConfig is the listener for those who run the program; it should not be reachable from outside.
type OpsConfig struct {
	Addr string `yaml:"addr" doc:"where /metrics, /healthz, /readyz, /debug/pprof of the detector /-/rules, and of consumers /-/scale are served; empty: nowhere"`
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
