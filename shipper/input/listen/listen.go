// Package listen is what all inputs that listen have in common: an address, TLS, and how long it takes to bind.
package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// TLS says how a listener proves who it is, and who may connect.
type TLS struct {
	Cert     string `yaml:"cert" doc:"file with the certificate, PEM, and those between it and the authority's; it is read again when it changes"`
	Key      string `yaml:"key" doc:"file with its key, PEM"`
	ClientCA string `yaml:"client_ca" doc:"file with the authorities of the clients' certificates, PEM: only clients that have one are let in; empty: all are"`
}

// On says whether TLS is asked for.
func (t TLS) On() bool { return t.Cert != "" || t.Key != "" || t.ClientCA != "" }

// Validate names every fault by its key.
func (t TLS) Validate() error {
	if t.On() && (t.Cert == "" || t.Key == "") {
		return errors.New("tls: both cert and key are needed")
	}
	return nil
}

// Config makes the configuration of a server; nil where TLS is not asked for. now is for the age of what was read.
func (t TLS) Config(now func() time.Time) (*tls.Config, error) {
	if !t.On() {
		return nil, nil //nolint:nilnil // none is asked for
	}
	k := &keeper{cert: t.Cert, key: t.Key, now: now}
	if _, err := k.get(nil); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get}
	if t.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("tls.client_ca: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.client_ca: no certificate is in %s", t.ClientCA)
	}
	return c, nil
}

// keeper reads a certificate again when it is older than a minute, and keeps the one it has when it cannot.
type keeper struct {
	cert, key string
	now       func() time.Time

	mu   sync.Mutex // guards the fields below
	read time.Time
	have *tls.Certificate
}

// keepFor is how long a certificate is used without looking at its file.
const keepFor = time.Minute

func (k *keeper) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.have != nil && now.Sub(k.read) < keepFor {
		return k.have, nil
	}
	k.read = now
	c, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil && k.have == nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	if err == nil {
		k.have = &c
	}
	return k.have, nil
}

// Address checks an address to listen at.
func Address(addr string) error {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return fmt.Errorf("found %q, expected an address such as :6514 or 127.0.0.1:6514", addr)
	}
	return nil
}

// Local says whether an address is reached from this machine only.
func Local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
