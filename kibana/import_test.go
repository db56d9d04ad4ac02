package kibana

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fakeKibana answers an import as Kibana does and keeps what it was sent.
func fakeKibana(t *testing.T, status int, answer string) (Config, *http.Request, *string) {
	t.Helper()
	var got http.Request
	var file string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = *r
		f, header, err := r.FormFile("file")
		if err == nil {
			b, _ := io.ReadAll(f)
			file = header.Filename + "\n" + string(b)
		}
		w.WriteHeader(status)
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	cfg := DefaultConfig()
	cfg.URL, cfg.Username, cfg.Password, cfg.Space = srv.URL, "elastic", "s3cret", "im"
	return cfg, &got, &file
}

func TestInstall(t *testing.T) {
	cfg, req, file := fakeKibana(t, 200, `{"success":true,"successCount":12}`)
	if err := Install(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if req.URL.Path != "/s/im/api/saved_objects/_import" || req.URL.RawQuery != "overwrite=true" || req.Header.Get("kbn-xsrf") == "" {
		t.Errorf("asked %s with %v", req.URL, req.Header)
	}
	if user, pass, ok := req.BasicAuth(); !ok || user != "elastic" || pass != "s3cret" {
		t.Error("credentials were not sent")
	}
	if *file != "imwatch.ndjson\n"+string(NDJSON()) {
		t.Errorf("sent file %.100s", *file)
	}
}

func TestInstallReadsTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"refused in a 200": {200, `{"success":false,"errors":[{"id":"imwatch-connections","type":"dashboard","error":{"type":"missing_references","reason":"x"}}]}`, "dashboard imwatch-connections: missing_references"},
		"unauthorized":     {401, `{"message":"no"}`, "status 401"},
		"no JSON":          {200, `<html>`, "reading Kibana's answer"},
	} {
		cfg, _, _ := fakeKibana(t, c.status, c.answer)
		err := Install(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.URL, c.APIKey, c.Username, c.Timeout = "kibana:5601", "k", "u", 0
	if err := c.Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("expected three faults, got %v", err)
	}
}
