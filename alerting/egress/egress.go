// Package egress makes the HTTP client that channels call providers with: certificates checked, no redirects, no
// secret in an error, and, for addresses that anyone may configure, none inside the own network.
//
// It leaves out what answers mean and when to call again.
package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// MaxAnswer is how much of an answer's body is read. No provider needs more to say what became of a message.
const MaxAnswer = 64 << 10

// Options say what a client may do. The zero value is the strict one.
type Options struct {
	// AllowPrivate lets it connect to loopback, private, link-local and other addresses not of the public internet.
	AllowPrivate bool
	// UseProxy takes the proxy from HTTPS_PROXY, HTTP_PROXY and NO_PROXY. A proxy resolves names itself, so the
	// check of addresses cannot be made: New refuses it without AllowPrivate.
	UseProxy bool
	// Proxy is the address of a proxy; "": none. Likewise.
	Proxy string
	// CAFile is a PEM file of further certificate authorities; "": those of the system.
	CAFile string
}

// New makes a client. Its calls last as long as their context allows. Call CloseIdleConnections when done.
func New(o Options) (*http.Client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		roots, err := Roots(o.CAFile)
		if err != nil {
			return nil, err
		}
		tlsConfig.RootCAs = roots
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !o.AllowPrivate {
		dialer.ControlContext = refusePrivate
	}
	tr := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        4,
		IdleConnTimeout:     90 * time.Second,
	}
	if (o.UseProxy || o.Proxy != "") && !o.AllowPrivate {
		return nil, errors.New("a proxy cannot be used while private addresses are refused")
	}
	switch {
	case o.Proxy != "":
		u, err := url.Parse(o.Proxy)
		if err != nil {
			return nil, errors.New("the proxy's address is not one")
		}
		tr.Proxy = http.ProxyURL(u)
	case o.UseProxy:
		tr.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Transport: tr, CheckRedirect: stay}, nil
}

// stay gives redirects back as they are: a provider that moved is a matter for a person, and the message must not
// follow to where nobody configured it.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Roots reads a PEM file and adds its certificates to the system's authorities.
func Roots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading certificate authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading certificate authorities: no certificate in %s", file)
	}
	return pool, nil
}

// Answer is what came back for a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most MaxAnswer bytes
}

// Without gives the answer with secrets taken out of its body, should the provider repeat them.
func (a Answer) Without(secrets ...string) Answer {
	for _, s := range secrets {
		if s != "" {
			a.Body = bytes.ReplaceAll(a.Body, []byte(s), []byte("…"))
		}
	}
	return a
}

// Do sends a request and reads its answer. The error never holds the request's URL or headers, as keys stand there.
func Do(ctx context.Context, c *http.Client, req *http.Request) (Answer, error) {
	resp, err := c.Do(req.WithContext(ctx)) //nolint:gosec // where it may go is what this package checks
	if err != nil {
		return Answer{}, hideURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer))
	if err != nil {
		return Answer{}, &BrokenAnswerError{Status: resp.StatusCode, Err: err}
	}
	return Answer{resp.StatusCode, resp.Header, body}, nil
}

// BrokenAnswerError says that the answer began and did not end.
type BrokenAnswerError struct {
	Status int
	Err    error
}

// Error names the status that was seen.
func (e *BrokenAnswerError) Error() string {
	return fmt.Sprintf("reading the answer (HTTP %d): %v", e.Status, e.Err)
}

// Unwrap gives the cause.
func (e *BrokenAnswerError) Unwrap() error { return e.Err }

// hideURL takes the URL out of net/http's error.
func hideURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}

// NotSent says whether an error of Do means that the request never reached the provider: no connection was made.
// After any other error it may have been taken.
func NotSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	_, refused := errors.AsType[*ForbiddenError](err)
	return refused
}
