// Package smtpd is a real SMTP server on a loopback address that records mails, for tests and the demo: STARTTLS or
// implicit TLS with a certificate of its own, and AUTH PLAIN.
package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options say how the server behaves. The zero value offers STARTTLS and asks for no authentication.
type Options struct {
	Implicit           bool // TLS from the first byte
	Plain              bool // no TLS at all
	Username, Password string
	// Rcpt and Data, where set, may refuse an address or a mail: with a *smtp.SMTPError of any code.
	Rcpt func(to string) error
	Data func(m Mail) error
}

// Mail is one accepted mail.
type Mail struct {
	At   time.Time
	From string
	To   []string
	User string // who had authenticated; "": nobody
	TLS  bool   // the connection was encrypted
	Data []byte // headers and body as they came
}

// Server is the server. Make one with New and close it. Safe for concurrent use.
type Server struct {
	opts   Options
	addr   *net.TCPAddr
	ca     []byte
	server *smtp.Server
	done   chan struct{}

	mu      sync.Mutex
	mails   []Mail
	changed chan struct{}
}

// New starts a server on a free port of the loopback interface.
func New(opts Options) (*Server, error) {
	cert, ca, err := selfSigned(time.Now())
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the mail server: %w", err)
	}
	addr, _ := l.Addr().(*net.TCPAddr)
	s := &Server{opts: opts, addr: addr, ca: ca, done: make(chan struct{}), changed: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	s.server.Domain = "localhost"
	s.server.ErrorLog = log.New(io.Discard, "", 0) // what goes wrong is what tests provoke
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	switch {
	case opts.Implicit:
		l = tls.NewListener(l, config)
	case !opts.Plain:
		s.server.TLSConfig = config
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // ends by Close
	}()
	return s, nil
}

// Host and Port say where it listens.
func (s *Server) Host() string { return s.addr.IP.String() }

// Port is the port it listens on.
func (s *Server) Port() int { return s.addr.Port }

// CA is the authority of its certificate, in PEM.
func (s *Server) CA() []byte { return s.ca }

// Close stops the server and cuts its connections.
func (s *Server) Close() {
	_ = s.server.Close()
	<-s.done
}

// Received gives the accepted mails in their order.
func (s *Server) Received() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Wait returns the accepted mails as soon as they satisfy enough, or ctx's error with those there are.
func (s *Server) Wait(ctx context.Context, enough func([]Mail) bool) ([]Mail, error) {
	for {
		s.mu.Lock()
		ms, changed := append([]Mail(nil), s.mails...), s.changed
		s.mu.Unlock()
		if enough(ms) {
			return ms, nil
		}
		select {
		case <-ctx.Done():
			return ms, fmt.Errorf("waiting for mails, %d are there: %w", len(ms), ctx.Err())
		case <-changed:
		}
	}
}

func (s *Server) accept(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	close(s.changed)
	s.changed = make(chan struct{})
}

// session is one connection's conversation.
type session struct {
	s    *Server
	conn *smtp.Conn
	user string
	mail Mail
}

func (x *session) encrypted() bool {
	_, ok := x.conn.TLSConnectionState()
	return ok || x.s.opts.Implicit
}

// AuthMechanisms offers PLAIN on an encrypted connection.
func (x *session) AuthMechanisms() []string {
	if x.s.opts.Username == "" || !x.encrypted() {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth checks the password.
func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != x.s.opts.Username || password != x.s.opts.Password {
			return smtp.ErrAuthFailed
		}
		x.user = username
		return nil
	}), nil
}

// Mail begins a mail.
func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	if x.s.opts.Username != "" && x.user == "" {
		return smtp.ErrAuthRequired
	}
	x.mail = Mail{From: from, User: x.user, TLS: x.encrypted()}
	return nil
}

// Rcpt adds an address.
func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if x.s.opts.Rcpt != nil {
		if err := x.s.opts.Rcpt(to); err != nil {
			return err
		}
	}
	x.mail.To = append(x.mail.To, to)
	return nil
}

// Data takes the content and keeps the mail.
func (x *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return errors.New("the content broke off")
	}
	x.mail.Data, x.mail.At = data, time.Now()
	if x.s.opts.Data != nil {
		if err := x.s.opts.Data(x.mail); err != nil {
			return err
		}
	}
	x.s.accept(x.mail)
	return nil
}

// Reset forgets the mail begun.
func (x *session) Reset() { x.mail = Mail{} }

// Logout has nothing to give back.
func (x *session) Logout() error { return nil }
