package imserver

import (
	"fmt"
	"log"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"imwatch/im-server/accept"
	"imwatch/im-server/protocol"
)

// routes makes the two HTTP servers: the clients' and the operators'.
func (s *Server) routes() error {
	gin.SetMode(gin.ReleaseMode) // gin's other modes print to standard output
	public := gin.New()
	public.RedirectTrailingSlash = false
	public.ForwardedByClientIP = false // clientAddr finds the client
	public.Any(protocol.Path, s.connect)
	public.Use(s.access) // of what is not an upgrade: routes above do not pass it
	public.NoRoute(func(g *gin.Context) { g.String(http.StatusNotFound, "not found\n") })

	ops := gin.New()
	if err := ops.SetTrustedProxies(nil); err != nil {
		return fmt.Errorf("trusted_proxies: %w", err)
	}
	ops.GET("/healthz", func(g *gin.Context) { g.String(http.StatusOK, "ok\n") })
	ops.GET("/readyz", s.readyz)
	ops.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{})))
	profiles := http.NewServeMux()
	profiles.HandleFunc("/debug/pprof/", pprof.Index)
	profiles.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("/debug/pprof/trace", pprof.Trace)
	ops.Any("/debug/pprof/*name", gin.WrapH(profiles))
	ops.Any("/-/*path", gin.WrapH(s.api))

	s.public = s.httpServer(public)
	s.public.ReadTimeout = 2 * s.conf().Timeouts.Handshake // a body that nobody reads
	s.public.ConnState, s.public.ConnContext = s.accept.State, accept.Context
	s.admin = s.httpServer(ops)
	return nil
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.conf().Timeouts.Handshake, // against clients that send their headers for ever
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(diagnostics{s}, "", 0),
	}
}

// readyz says whether the node takes connections.
func (s *Server) readyz(g *gin.Context) {
	switch {
	case s.drainage.begun.Load():
		g.String(http.StatusServiceUnavailable, "draining\n")
	case !s.ready.Load():
		g.String(http.StatusServiceUnavailable, "starting\n")
	default:
		g.String(http.StatusOK, "ready\n")
	}
}
