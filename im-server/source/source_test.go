package source

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func text(b []byte) (string, error) {
	if strings.Contains(string(b), "bad") {
		return "", errors.New("bad text")
	}
	return string(b), nil
}

func holds(t *testing.T, k *Kept[string], want string) {
	t.Helper()
	if got, ok := k.Get(); got != want || !ok {
		t.Errorf("kept is %q, %v, want %q", got, ok, want)
	}
}

func TestFileIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list")
	var c clock
	var looks []Outcome
	k := Keep(path, text, Options{Now: c.now, Done: func(o Outcome) { looks = append(looks, o) }})
	if err := k.Refresh(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there gives %v", err)
	}
	if _, ok := k.Get(); ok {
		t.Error("there is a version of nothing")
	}
	put := func(s string, result string, wantErr bool) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Minute)
		if err := os.Chtimes(path, c.now(), c.now()); err != nil {
			t.Fatal(err)
		}
		if err := k.Refresh(t.Context()); (err != nil) != wantErr {
			t.Errorf("%q gives %v", s, err)
		}
		if got := looks[len(looks)-1].Result(); got != result {
			t.Errorf("%q is %s, want %s", s, got, result)
		}
	}
	put("one", "changed", false)
	holds(t, k, "one")
	put("one", "unchanged", false) // touched only
	put("bad", "failed", true)
	holds(t, k, "one")
	put("bad", "failed", true) // and still is
	put("two", "changed", false)
	holds(t, k, "two")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(t.Context()); err == nil {
		t.Error("a file that went away is no error")
	}
	holds(t, k, "two")
	c.advance(time.Hour)
	if age, ok := k.Age(); !ok || age != time.Hour {
		t.Errorf("the age is %v, %v", age, ok)
	}
}

func TestURLIsAskedForChangesOnly(t *testing.T) {
	t.Parallel()
	var c clock
	var full, unchanged, status atomic.Int64
	status.Store(200)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("ETag", `"v1"`)
		switch {
		case status.Load() != 200:
			w.WriteHeader(int(status.Load()))
		case r.Header.Get("If-None-Match") == `"v1"`:
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
		default:
			full.Add(1)
			_, _ = w.Write([]byte("one " + r.Header.Get("X-Key")))
		}
	}))
	t.Cleanup(server.Close)
	k := Keep(server.URL, text, Options{Now: c.now, Floor: 10 * time.Second, Header: http.Header{"X-Key": {"k"}}, Client: server.Client()})
	refresh := func() error { t.Helper(); return k.Refresh(t.Context()) }
	if err := refresh(); err != nil {
		t.Fatal(err)
	}
	holds(t, k, "one k")
	for range 100 { // whoever asks, and how often
		if err := refresh(); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(10 * time.Second)
	if err := refresh(); err != nil || full.Load() != 1 || unchanged.Load() != 1 {
		t.Errorf("%d full and %d conditional fetches, %v", full.Load(), unchanged.Load(), err)
	}
	if got := k.next.Sub(c.now()); got != time.Hour {
		t.Errorf("due again in %v, want what the server says", got)
	}
	status.Store(503)
	c.advance(10 * time.Second)
	if err := refresh(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("an endpoint that is down gives %v", err)
	}
	if err := refresh(); err == nil {
		t.Error("within the floor the error is forgotten")
	}
	holds(t, k, "one k")
	if got := k.next.Sub(c.now()); got != 30*time.Second {
		t.Errorf("tried again in %v", got)
	}
}

// TestManyAskOnce: callers at the same time share one fetch, and one that goes away does not spoil it.
func TestManyAskOnce(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int64
	arrived, proceed := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if fetches.Add(1) == 1 {
			close(arrived)
		}
		<-proceed
		_, _ = w.Write([]byte("one"))
	}))
	t.Cleanup(server.Close)
	k := Keep(server.URL, text, Options{Client: server.Client(), Timeout: time.Minute})
	first, leave := context.WithCancel(t.Context())
	done := make(chan error, 11)
	go func() { done <- k.Refresh(first) }()
	<-arrived
	for range 10 {
		go func() { done <- k.Refresh(t.Context()) }()
	}
	leave()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Refresh(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits no longer gets %v", err)
	}
	close(proceed)
	for range 11 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	server.Client().CloseIdleConnections()
}

func TestRunKeepsItUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list")
	changed := make(chan struct{}, 10)
	k := Keep(path, text, Options{Every: time.Millisecond, Done: func(o Outcome) {
		if o.Changed {
			changed <- struct{}{}
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	for _, s := range []string{"a", "bb"} {
		if err := os.WriteFile(path+".new", []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		<-changed
		holds(t, k, s)
	}
	cancel()
	<-done
}

func TestTooLargeAndRedirected(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
			return
		}
		chunk := make([]byte, 1<<20)
		for range 20 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	for path, want := range map[string]string{"/": "more than", "/moved": "302"} {
		k := Keep(server.URL+path, text, Options{})
		if err := k.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v", path, err)
		}
		k.o.Client.CloseIdleConnections()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // it is one
}

func TestCheckReferences(t *testing.T) {
	t.Parallel()
	for ref, ok := range map[string]bool{
		"keys/a.pem": true, "/etc/list": true, "": false, " ": false, "https://login.example.org/jwks": true, "http://127.0.0.1:8/x": true,
		"http://[::1]/x": true, "http://localhost/x": true, "http://login.example.org/jwks": false, "https://u:p@h/": false, "https:///x": false, "ftp://h/x": false,
	} {
		if err := Check(ref); (err == nil) != ok {
			t.Errorf("%q gives %v", ref, err)
		}
	}
}

func TestFreshnessAndLines(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"max-age=60": time.Minute, "no-transform, Max-Age=5": 5 * time.Second, "no-cache": 0, "max-age=-1": 0, "max-age=x": 0, "": 0, "max-age=999999999999": 0,
	} {
		if got := freshness(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q is fresh for %v", header, got)
		}
	}
	var got []string
	for n, line := range Lines([]byte("# head\n a \n\nb # tail\r\nc")) {
		got = append(got, string(rune('0'+n))+line)
	}
	if strings.Join(got, ",") != "2a,4b,5c" {
		t.Errorf("lines are %q", got)
	}
}
