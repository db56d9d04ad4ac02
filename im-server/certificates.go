package imserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"imwatch/im-server/source"
)

// TLSConfig names the certificate of the clients' listener, and who signs those of clients. All empty: no TLS. The files are
// read again when they change.
type TLSConfig struct {
	CertFile       string `yaml:"cert_file" doc:"PEM file of the certificate chain; read again when it changes"`
	KeyFile        string `yaml:"key_file" doc:"PEM file of the private key; read again when it changes"`
	ClientCAFile   string `yaml:"client_ca_file" doc:"PEM file of the authorities that sign clients' certificates; empty: clients need none"`
	ClientOptional bool   `yaml:"client_optional" doc:"let clients in that show no certificate; one that is shown must be good"`
}

func (c TLSConfig) validate(v *faults) {
	v.check((c.CertFile == "") == (c.KeyFile == ""), "tls", "cert_file and key_file go together")
	v.check(c.ClientCAFile == "" || c.CertFile != "", "tls.client_ca_file", "needs cert_file")
	v.check(!c.ClientOptional || c.ClientCAFile != "", "tls.client_optional", "needs client_ca_file")
}

// certificates is what clients are shown, and held to. Safe for concurrent use, but for look.
type certificates struct {
	conf  TLSConfig
	now   atomic.Pointer[shown]
	stamp string // of the files, when they were read last; owned by who keeps house
	bad   bool   // they could not be read then
}

// shown is one version of it.
type shown struct {
	config *tls.Config
	end    time.Time // of the certificate
}

// newCertificates reads the files; nil without TLS.
func newCertificates(c TLSConfig) (*certificates, error) {
	if c.CertFile == "" {
		return nil, nil //nolint:nilnil // documented: no TLS
	}
	k := &certificates{conf: c}
	k.stamp = k.stampNow()
	v, err := c.read()
	if err != nil {
		return nil, err
	}
	k.now.Store(v)
	return k, nil
}

// read reads all files.
func (c TLSConfig) read() (*shown, error) {
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls: reading certificate: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if c.ClientCAFile != "" {
		pem, err := os.ReadFile(c.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.client_ca_file: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.client_ca_file: %s: %w", c.ClientCAFile, errNoCertificate)
		}
		if config.ClientAuth = tls.RequireAndVerifyClientCert; c.ClientOptional {
			config.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return &shown{config, cert.Leaf.NotAfter}, nil
}

var errNoCertificate = errors.New("no certificate in PEM")

// stampNow tells one version of the files from another.
func (k *certificates) stampNow() (stamp string) {
	for _, path := range []string{k.conf.CertFile, k.conf.KeyFile, k.conf.ClientCAFile} {
		if info, err := os.Stat(path); err == nil {
			stamp += fmt.Sprintf("%d %d;", info.ModTime().UnixNano(), info.Size())
		}
	}
	return stamp
}

// look reads the files if they changed, or could not be read before. New connections get the new version; until key and
// certificate fit together again, they get the one before. force looks into files that seem to be the same.
func (k *certificates) look(force bool) (out source.Outcome, looked bool) {
	stamp := k.stampNow()
	if stamp == k.stamp && !k.bad && !force {
		return out, false
	}
	k.stamp = stamp
	out = source.Outcome{Ref: k.conf.CertFile, Was: !k.bad}
	v, err := k.conf.read()
	if k.bad, out.Err = err != nil, err; err == nil {
		out.Changed = true
		k.now.Store(v)
	}
	return out, true
}

// watchCertificates takes up changed files. It is called now and then.
func (s *Server) watchCertificates(force bool) {
	if s.certificates == nil {
		return
	}
	if out, ok := s.certificates.look(force); ok {
		s.looked(out)
	}
}

// certificateEnd gives when the certificate ends that clients are shown now; zero without TLS.
func (s *Server) certificateEnd() time.Time {
	if s.certificates == nil {
		return time.Time{}
	}
	return s.certificates.now.Load().end
}
