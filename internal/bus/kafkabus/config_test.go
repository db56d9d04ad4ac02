package kafkabus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imwatch/internal/bus/kafkabus"
)

func TestConfigFaults(t *testing.T) {
	for _, test := range []struct {
		change func(*kafkabus.Config)
		want   []string // what the error must name
	}{
		{func(c *kafkabus.Config) { c.Brokers = nil }, []string{"brokers:"}},
		{func(c *kafkabus.Config) { c.Brokers = []string{"a:1", "kafka"} }, []string{"brokers[1]:", `"kafka"`}},
		{func(c *kafkabus.Config) { c.Compression = "gzip9" }, []string{"compression:", "lz4"}},
		{func(c *kafkabus.Config) { c.MaxMessageBytes = 10 }, []string{"max_message_bytes:"}},
		{func(c *kafkabus.Config) { c.FetchBytes = 1 }, []string{"fetch_bytes:"}},
		{func(c *kafkabus.Config) { c.RequestTimeout = time.Millisecond }, []string{"request_timeout:"}},
		{func(c *kafkabus.Config) { c.SessionTimeout = time.Second }, []string{"session_timeout:", "6s"}},
		{func(c *kafkabus.Config) { c.ReplicationFactor = -1 }, []string{"replication_factor:"}},
		{func(c *kafkabus.Config) { c.TLS.CAFile = "ca.pem" }, []string{"tls.enabled:"}},
		{func(c *kafkabus.Config) { c.TLS.Enabled, c.TLS.KeyFile = true, "k" }, []string{"tls.cert_file, tls.key_file:"}},
		{func(c *kafkabus.Config) { c.SASL.Mechanism = "" }, []string{"sasl.mechanism:", "scram-sha-512"}},
		{func(c *kafkabus.Config) { c.SASL.User = "u" }, []string{"sasl.mechanism:"}},
		{func(c *kafkabus.Config) { c.SASL.Mechanism = "scram-sha-256" }, []string{"sasl.user, sasl.password:"}},
		{func(c *kafkabus.Config) { c.SASL = kafkabus.SASLConfig{Mechanism: "plain", User: "u", Password: "pw"} }, []string{"tls.enabled"}},
		{func(c *kafkabus.Config) { c.Brokers, c.Compression, c.FetchBytes = nil, "?", 0 }, []string{"brokers:", "compression:", "fetch_bytes:"}},
	} {
		cfg := kafkabus.DefaultConfig()
		test.change(&cfg)
		err := cfg.Validate()
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: the error does not name %s: %v", cfg, want, err)
			}
		}
		if _, newErr := kafkabus.New(cfg, logTo(t), nil); newErr == nil {
			t.Errorf("New took %+v", cfg)
		}
	}
	if err := kafkabus.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, tls := range map[string]kafkabus.TLSConfig{
		"tls.ca_file":                 {Enabled: true, CAFile: "/nowhere/ca.pem"},
		"no certificate in":           {Enabled: true, CAFile: empty},
		"tls.cert_file, tls.key_file": {Enabled: true, CertFile: empty, KeyFile: empty},
	} {
		cfg := kafkabus.DefaultConfig()
		cfg.TLS = tls
		if _, err := kafkabus.New(cfg, logTo(t), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", tls, err)
		}
	}
}
