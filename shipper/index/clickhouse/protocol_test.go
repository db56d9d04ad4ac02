package clickhouse

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
	"imwatch/shipper/index/chunk/chunktest"
)

// play serves ClickHouse's protocol by what reply writes for each statement.
func play(t *testing.T, reply func(w http.ResponseWriter, r *http.Request, statement string)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reply(w, r, r.URL.Query().Get("query"))
	}))
	t.Cleanup(s.Close)
	return s
}

func oneEvent() chunk.Chunk {
	return chunk.Chunk{Place: chunk.Place{Topic: "im.lifecycle"}, Items: []index.Item{chunktest.Event(0, noon, "info")}}
}

// Every way in which ClickHouse says no, early, late or not at all, is an error, and its words are in it.
func TestEveryNoIsAnError(t *testing.T) {
	t.Parallel()
	const late = "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)"
	for name, reply := range map[string]func(w http.ResponseWriter){
		"a status":                    func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError); fmt.Fprint(w, late) },
		"200 and an exception":        func(w http.ResponseWriter) { fmt.Fprint(w, late) },
		"200, rows, and an exception": func(w http.ResponseWriter) { fmt.Fprint(w, "1\t2\n__exception__\r\nabcdef\r\n"+late) },
		"200 and a header": func(w http.ResponseWriter) {
			w.Header().Set("X-ClickHouse-Exception-Code", "241")
			fmt.Fprint(w, "MEMORY_LIMIT_EXCEEDED")
		},
		"200 and a trailer": func(w http.ResponseWriter) {
			w.Header().Set("Trailer", "X-ClickHouse-Exception-Code")
			fmt.Fprint(w, "MEMORY_LIMIT_EXCEEDED")
			w.Header().Set("X-ClickHouse-Exception-Code", "241")
		},
		"an answer to an insert": func(w http.ResponseWriter) { fmt.Fprint(w, "MEMORY_LIMIT_EXCEEDED") },
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(w http.ResponseWriter, _ *http.Request, statement string) {
				if strings.HasPrefix(statement, "INSERT") {
					reply(w)
				}
			})
			if err := keeper(t, s.URL).Keep(t.Context(), oneEvent()); err == nil || !strings.Contains(err.Error(), "MEMORY_LIMIT_EXCEEDED") {
				t.Errorf("%v", err)
			}
		})
	}
	cut := play(t, func(w http.ResponseWriter, _ *http.Request, statement string) {
		if strings.HasPrefix(statement, "INSERT") {
			panic(http.ErrAbortHandler)
		}
	})
	if err := keeper(t, cut.URL).Keep(t.Context(), oneEvent()); err == nil || strings.Contains(err.Error(), "event_action") {
		t.Errorf("cut off: %v", err)
	}
	odd := play(t, func(w http.ResponseWriter, _ *http.Request, statement string) {
		if strings.HasPrefix(statement, "SELECT") {
			fmt.Fprint(w, "<html>")
		}
	})
	if _, err := keeper(t, odd.URL).Span(t.Context(), chunk.Place{Topic: "t"}, chunk.Span{To: 1}); err == nil || !strings.Contains(err.Error(), "<html>") {
		t.Errorf("no offsets: %v", err)
	}
}

// An insert has its token and its user, and the same token when it is made again.
func TestTokenAndUser(t *testing.T) {
	t.Parallel()
	var tokens []string
	s := play(t, func(w http.ResponseWriter, r *http.Request, statement string) {
		if r.Header.Get("X-ClickHouse-User") != "im" || r.Header.Get("X-ClickHouse-Key") != "secret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if strings.HasPrefix(statement, "INSERT") {
			tokens = append(tokens, r.URL.Query().Get("insert_deduplication_token"))
			if len(tokens) == 1 {
				panic(http.ErrAbortHandler) // it was taken, and nobody was told
			}
		}
	})
	k := keeper(t, s.URL)
	k.client.cfg.Username, k.client.cfg.Password = "im", "secret"
	if err := k.Keep(t.Context(), oneEvent()); err == nil {
		t.Error("cut off without an error")
	}
	if err := k.Keep(t.Context(), oneEvent()); err != nil {
		t.Error(err)
	}
	if len(tokens) != 2 || tokens[0] != tokens[1] || tokens[0] != "im.lifecycle-0-0-0-2026-11-21" {
		t.Errorf("tokens %q", tokens)
	}
	k.client.cfg.Password = "wrong"
	bad := &exception{}
	if err := k.Keep(t.Context(), oneEvent()); !errors.As(err, &bad) || bad.status != http.StatusForbidden || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
}

// Tables that somebody has dropped are made again.
func TestTablesDropped(t *testing.T) {
	t.Parallel()
	there := false
	s := play(t, func(w http.ResponseWriter, _ *http.Request, statement string) {
		switch {
		case strings.HasPrefix(statement, "CREATE TABLE"):
			there = true
		case strings.HasPrefix(statement, "INSERT") && !there:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "Code: 60. DB::Exception: Table imwatch.events does not exist. (UNKNOWN_TABLE)")
		}
	})
	k := keeper(t, s.URL)
	for i, want := range []bool{true, false, true} {
		if i == 1 {
			there = false
		}
		if err := k.Keep(t.Context(), oneEvent()); (err == nil) != want {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
}

// The server's certificate is checked against the authorities that are named.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	if err := keeper(t, s.URL).Keep(t.Context(), oneEvent()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.URL, cfg.CAFile = s.URL, ca
	k, err := New(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.Keep(t.Context(), oneEvent()); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{URL: "ftp://x", Database: "a b", Password: "p", Engine: "Log"}.Validate()
	for _, key := range []string{"url:", "database:", "username:", "engine:", "timeout:", "chunk."} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
}
