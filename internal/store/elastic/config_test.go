package elastic

import (
	"encoding/pem"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"
)

func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	bad := Config{
		Addresses: []string{"localhost:9200", "http://user:secret@es:9200"}, Username: "u", APIKey: "k", CAFile: "f", InsecureSkipVerify: true, Replicas: -1,
		ShardsByClass: map[string]int{"inf": 2, "warn": 0}, Codec: "best-compression", RefreshInterval: time.Millisecond,
	}
	err := bad.Validate()
	for _, key := range []string{
		"addresses[0]", "addresses[1]", "username, password", "api_key", "insecure_skip_verify", "timeout", "max_bulk_bytes", "shards", "replicas", "dead_letter_days", "alert_days",
		`shards_by_class.inf: no class of events: found "inf", allowed are error, warn, info; did you mean "info"?`, "shards_by_class.warn: 0 is not within 1 to 1024",
		`codec: found "best-compression", allowed are default, best_compression; did you mean "best_compression"?`, "refresh_interval: found 1ms",
	} {
		if err == nil || !strings.Contains(err.Error(), key+":") && !strings.Contains(key, ":") || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in: %v", key, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

func TestCAFile(t *testing.T) {
	log, _ := test.NewNullLogger()
	cfg := DefaultConfig()
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if _, err := New(cfg, log, nil); err == nil || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(cfg.CAFile, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, log, nil); err == nil || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("a file without a certificate: %v", err)
	}
}

// TestAuthentication reads the header that the cluster gets.
func TestAuthentication(t *testing.T) {
	for want, set := range map[string]func(*Config){
		"":               func(*Config) {},
		"ApiKey a2V5":    func(c *Config) { c.APIKey = "a2V5" },
		"Basic dTpwYXNz": func(c *Config) { c.Username, c.Password = "u", "pass" },
	} {
		got := "none"
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			_, _ = io.WriteString(w, "{}")
		}))
		cfg := DefaultConfig()
		cfg.Addresses = []string{srv.URL + "/behind/a/proxy"}
		set(&cfg)
		if err := open(t, cfg).Ping(t.Context()); err != nil {
			t.Error(err)
		}
		srv.Close()
		if !strings.EqualFold(got, want) { // the scheme's case does not matter
			t.Errorf("authorization is %q, want %q", got, want)
		}
	}
}

// TestTrust has a cluster behind TLS whose authority is known only by ca_file, and asks it with an API key.
func TestTrust(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "APIKey a2V5" && r.Header.Get("Authorization") != "ApiKey a2V5" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"type":"security_exception","reason":"missing authentication credentials"}}`)
			return
		}
		_, _ = io.WriteString(w, "{}")
	}))
	srv.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	cfg := DefaultConfig()
	cfg.Addresses, cfg.APIKey = []string{srv.URL}, "a2V5"
	if err := open(t, cfg).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(cfg.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, cfg).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.APIKey = "b3RoZXI"
	if err := open(t, cfg).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "security_exception") {
		t.Errorf("another key: %v", err)
	}
}
