package httpin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/shipper/input"
)

// Options say what a Server works with.
type Options struct {
	Config Config
	Log    logrus.FieldLogger
	Count  func(status int) // told of each request, safe for concurrent use; nil: nobody counts
	Now    func() time.Time
}

// Server receives requests.
type Server struct {
	cfg   Config
	log   logrus.FieldLogger
	count func(int)
	l     net.Listener
	want  [sha256.Size]byte // of the token

	mu      sync.Mutex // guards pending
	pending int        // bytes of requests under way
}

// Listen binds the address. Run closes it.
func Listen(o Options) (*Server, error) {
	s := &Server{cfg: o.Config, log: o.Log, count: o.Count, want: sha256.Sum256([]byte(o.Config.Token))}
	if s.count == nil {
		s.count = func(int) {}
	}
	secure, err := o.Config.TLS.Config(o.Now)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	if s.l, err = net.Listen("tcp", o.Config.Listen); err != nil { //nolint:noctx // binding does not wait
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	if secure != nil {
		s.l = tls.NewListener(s.l, secure)
	}
	return s, nil
}

// Addr gives the address that was bound.
func (s *Server) Addr() net.Addr { return s.l.Addr() }

// Close releases the address of a server that is not run.
func (s *Server) Close() error { return s.l.Close() } //nolint:wrapcheck // it names the address

// Ends is false: somebody may post at any time.
func (s *Server) Ends() bool { return false }

// How long a client may take. A body of the largest size comes within readTimeout at a tenth of a megabyte a second.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 90 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
)

// Run receives until ctx ends. Then requests under way are answered: by 503, if nothing else can be said of them.
func (s *Server) Run(ctx context.Context, give input.Give) error {
	mux := http.NewServeMux()
	mux.HandleFunc(s.cfg.Path, func(w http.ResponseWriter, r *http.Request) {
		within, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		defer context.AfterFunc(ctx, func() { cancel(errEnding) })()
		s.serve(within, give, w, r)
	})
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(debug{s.log}, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("receiving by HTTP: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
	defer cancel()
	err := srv.Shutdown(last)
	if err != nil {
		err = srv.Close()
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("ending the HTTP input: %w", err)
	}
	return nil
}

// lastWait is for answers to be written; they do not wait for anything else.
const lastWait = 2 * time.Second

var errEnding = errors.New("the shipper is ending")

// debug takes what net/http has to say of clients that misbehave.
type debug struct{ log logrus.FieldLogger }

func (d debug) Write(p []byte) (int, error) {
	d.log.Debug(strings.TrimSpace(string(p)))
	return len(p), nil
}

// serve answers one request.
func (s *Server) serve(ctx context.Context, give input.Give, w http.ResponseWriter, r *http.Request) {
	n, err := s.receive(ctx, give, w, r)
	if err == nil {
		s.answer(w, http.StatusOK, map[string]any{"lines": n})
		return
	}
	status, why := http.StatusServiceUnavailable, err.Error()
	if no, ok := errors.AsType[*refusal](err); ok {
		status = no.status
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(s.cfg.RetryAfter.Round(time.Second).Seconds())))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	}
	s.answer(w, status, map[string]any{"error": why})
}

func (s *Server) answer(w http.ResponseWriter, status int, body map[string]any) {
	s.count(status)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone sends again
}

// receive takes a request's lines and waits until they are acknowledged.
func (s *Server) receive(ctx context.Context, give input.Give, w http.ResponseWriter, r *http.Request) (int, error) {
	if err := s.check(r); err != nil {
		return 0, err
	}
	body, taken, err := s.body(w, r)
	defer func() { s.release(taken) }()
	if err != nil {
		return 0, err
	}
	lines := split(string(body))
	if len(lines) == 0 {
		return 0, nil
	}
	done := make(chan struct{})
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.AckTimeout, errSlow)
	defer cancel()
	c := input.Chunk{From: from(r), Origin: key(r, body), Lines: lines, Done: func() { close(done) }}
	if err := give(ctx, c); err != nil {
		return 0, &refusal{http.StatusServiceUnavailable, errSlow.Error()}
	}
	select {
	case <-done:
		return len(lines), nil
	case <-ctx.Done():
		return 0, &refusal{http.StatusServiceUnavailable, context.Cause(ctx).Error()}
	}
}

var errSlow = errors.New("the lines are not acknowledged yet; send them again")

// check says whether a request may be read at all.
func (s *Server) check(r *http.Request) error {
	if s.cfg.Token != "" {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(token)) // of one length, to compare in constant time
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], s.want[:]) != 1 {
			return &refusal{http.StatusUnauthorized, "a bearer token is needed, and this is none"}
		}
	}
	if r.Method != http.MethodPost {
		return &refusal{http.StatusMethodNotAllowed, r.Method + " is not allowed, POST is"}
	}
	if n := len(r.Header.Get(headerKey)); n > maxKey {
		return &refusal{http.StatusBadRequest, headerKey + " has " + count(n) + " bytes, allowed are " + count(maxKey)}
	}
	if r.ContentLength > int64(s.cfg.MaxBody) {
		return s.unreadable(&http.MaxBytesError{Limit: int64(s.cfg.MaxBody)})
	}
	return nil
}

// Chunk gives the lines of a body as they come from who is called from, without a key of the sender's.
func Chunk(body []byte, from string) input.Chunk {
	return input.Chunk{From: from, Origin: keyOf(body), Lines: split(string(body))}
}

// key is what a request is recognised by when it comes again: what its sender calls it, else what it says.
func key(r *http.Request, body []byte) string {
	if k := r.Header.Get(headerKey); k != "" {
		return "http-key-" + k
	}
	return keyOf(body)
}

func keyOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "http-" + hex.EncodeToString(sum[:16])
}

func from(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "http://" + host
}

// reserve takes room for n bytes, if there is any.
func (s *Server) reserve(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending+n > s.cfg.MaxPending {
		return false
	}
	s.pending += n
	return true
}

func (s *Server) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending -= n
}

func count(n int) string { return strconv.Itoa(n) }
