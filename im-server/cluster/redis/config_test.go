package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"imwatch/im-server/cluster"
)

func TestEachFaultOfAConfigurationIsNamed(t *testing.T) {
	if err := DefaultConfig().Validate("redis."); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, spoil := range map[string]func(*Config){
		`redis.addrs[1]: "two" must be HOST:PORT`:             func(c *Config) { c.Addrs = []string{"one:1", "two"} },
		`redis.master: "m" needs the sentinels' addrs`:        func(c *Config) { c.Master = "m" },
		`redis.db: -1 must not be negative`:                   func(c *Config) { c.DB = -1 },
		`redis.db: 2: a Redis Cluster has number 0 only`:      func(c *Config) { c.DB, c.Addrs = 2, []string{"a:1", "b:1"} },
		`redis.prefix: "" must have 1 to 64 bytes`:            func(c *Config) { c.Prefix = "" },
		`redis.timeout: 0s must be at least 1ms`:              func(c *Config) { c.Timeout = 0 },
		`redis.connections: 0 must be at least 1`:             func(c *Config) { c.Connections = 0 },
		`redis.failures: 0 must be at least 1`:                func(c *Config) { c.Failures = 0 },
		`redis.ping: 1ms must be at least 10ms`:               func(c *Config) { c.Ping = time.Millisecond },
		`redis.journal_bytes: 5 must be at least 1048576`:     func(c *Config) { c.JournalBytes = 5 },
		`redis.tls.enabled: false, but other keys of tls are`: func(c *Config) { c.TLS.CAFile = "ca.pem" },
		`redis.tls: cert_file and key_file go together`:       func(c *Config) { c.TLS = TLSConfig{Enabled: true, KeyFile: "key.pem"} },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate("redis."); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// writePEM makes a certificate for 127.0.0.1 that is its own authority.
func writePEM(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestRedisByTLSWithAnAccount(t *testing.T) {
	certFile, keyFile := writePEM(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	server, err := miniredis.RunTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.RequireUserAuth("im", "secret")
	w := newWorld(t, server.Addr())
	w.cfg.Username, w.cfg.Password = "im", "secret"
	w.cfg.TLS = TLSConfig{Enabled: true, CAFile: certFile, CertFile: certFile, KeyFile: keyFile}
	a := w.start("a", "1")
	a.follow("r:1")
	if r := a.say("r:1", "m1"); r.Offset != 1 {
		t.Errorf("%+v", r)
	}
	a.awaitHeard("m1@1")
	w.cfg.Password = "wrong"
	b := w.start("b", "1")
	b.awaitUp(false)
	if _, err := b.Renew(t.Context(), time.Second); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("with a wrong password: %v", err)
	}
	w.cfg.TLS.CAFile = keyFile
	if _, err := New(w.cfg, cluster.Options{Keep: testKeep}, nil); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("with a file that has no authority: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	server := miniredis.RunT(t)
	reg := prometheus.NewPedanticRegistry()
	cfg := testConfig(server.Addr())
	c, err := New(cfg, cluster.Options{Node: "a", Boot: "1", Keep: testKeep}, reg)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	if n := testutil.ToFloat64(c.metrics.collectors[8]); n != stateNumbers[stateOpen] {
		t.Errorf("before it has looked the breaker is at %v", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := New(cfg, cluster.Options{Node: "a", Boot: "1", Keep: testKeep}, reg); err == nil {
		t.Error("the same metrics were registered twice")
	}
}
