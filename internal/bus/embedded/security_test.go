package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

// certificate makes one for 127.0.0.1 that is its own authority.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestSecurity talks to a broker over TLS with each mechanism, and is refused with a wrong password or authority.
func TestSecurity(t *testing.T) {
	cert, caFile := certificate(t)
	_, otherCA := certificate(t)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}),
		kfake.Superuser("PLAIN", "p", "secret"), kfake.Superuser("SCRAM-SHA-256", "s2", "secret"), kfake.Superuser("SCRAM-SHA-512", "s5", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct {
		name   string
		sasl   kafkabus.SASLConfig
		ca     string
		refuse bool
	}{
		{"Plain", kafkabus.SASLConfig{Mechanism: "plain", User: "p", Password: "secret"}, caFile, false},
		{"Scram256", kafkabus.SASLConfig{Mechanism: "scram-sha-256", User: "s2", Password: "secret"}, caFile, false},
		{"Scram512", kafkabus.SASLConfig{Mechanism: "scram-sha-512", User: "s5", Password: "secret"}, caFile, false},
		{"WrongPassword", kafkabus.SASLConfig{Mechanism: "scram-sha-256", User: "s2", Password: "guess"}, caFile, true},
		{"WrongAuthority", kafkabus.SASLConfig{Mechanism: "plain", User: "p", Password: "secret"}, otherCA, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := kafkabus.DefaultConfig()
			cfg.Brokers = c.ListenAddrs()
			cfg.SASL = test.sasl
			cfg.TLS = kafkabus.TLSConfig{Enabled: true, CAFile: test.ca}
			b, err := kafkabus.New(cfg, quiet(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			ctx, end := context.WithTimeout(t.Context(), 20*time.Second)
			defer end()
			if test.refuse {
				if err := b.Ping(ctx); err == nil || ctx.Err() != nil {
					t.Errorf("Ping: %v", err)
				}
				return
			}
			if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: "t.secure", Partitions: 1}); err != nil {
				t.Fatalf("making a topic: %v", err)
			}
			exchange(ctx, t, b, "t.secure")
		})
	}
}

// exchange sends a message and gets it through a group.
func exchange(ctx context.Context, t *testing.T, b bus.Bus, topic string) {
	t.Helper()
	if err := b.Produce(ctx, topic, bus.Message{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	con, err := b.Consume(ctx, "g-"+t.Name(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ms, err := con.Fetch(ctx, 1)
	if err != nil || string(ms[0].Value) != "v" {
		t.Fatalf("fetched %v, %v", ms, err)
	}
	if err := con.Commit(ctx, ms...); err != nil {
		t.Fatal(err)
	}
}
