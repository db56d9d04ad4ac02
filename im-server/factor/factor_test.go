package factor

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imwatch/im-server/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("12345678901234567890")

// TestRFC6238 holds the codes to the vectors of the RFC's appendix B (SHA-1).
func TestRFC6238(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := code(secret, at/30, 8); got != want {
			t.Errorf("at %d the code is %s, want %s", at, got, want)
		}
	}
}

func TestTOTP(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(path, []byte("# who\nu-1 "+strings.ToLower(base32.StdEncoding.EncodeToString(secret))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	totp, err := NewTOTP(path, false, source.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	step := now.Unix() / 30
	try := func(what, user, sent, want string) {
		t.Helper()
		err := totp.Check(t.Context(), Request{User: user, Code: sent})
		if (err == nil) != (want == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if err != nil && sent != "" && strings.Contains(err.Error(), sent) {
			t.Errorf("%s: %v repeats the code", what, err)
		}
	}
	try("a user without a secret", "u-2", "", "")
	try("no code", "u-1", "", "no code")
	try("two steps late", "u-1", code(secret, step-2, 6), "wrong")
	try("one step late", "u-1", code(secret, step-1, 6), "")
	try("again", "u-1", code(secret, step-1, 6), "used before")
	try("now", "u-1", code(secret, step, 6), "")
	try("an older one", "u-1", code(secret, step-1, 6), "used before")
	for range maxWrong {
		try("guessed", "u-1", "x", "wrong")
	}
	try("a good one after many wrong", "u-1", code(secret, step+1, 6), "too many")
	now = now.Add(pause)
	step = now.Unix() / 30
	try("after the pause", "u-1", code(secret, step, 6), "")
	totp.all = true
	try("a user without a secret, where all need one", "u-2", "", "no secret")
}

func TestSecretsThatAreWrong(t *testing.T) {
	t.Parallel()
	good := base32.StdEncoding.EncodeToString(secret)
	for text, want := range map[string]string{
		"u-1": "line 1 has 1 words", "u-1 " + good + " x": "line 1 has 3 words", "u-1 short": "line 1: the secret must be", "\nu-1 " + good + "\nu-1 " + good: "line 3: the user stands twice",
	} {
		if _, err := parseSecrets([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), good) {
			t.Errorf("%q gives %v", text, err)
		}
	}
	if _, err := NewTOTP(filepath.Join(t.TempDir(), "none"), false, source.Options{}); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got map[string]string
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("Authorization") != "Bearer t" ||
			got["user"] != "u-1" || got["code"] != "c" || got["device"] != "d" || got["client_ip"] != "192.0.2.1" {
			t.Errorf("asked with %v, %v", got, r.Header)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	w := &Webhook{URL: server.URL, Token: "t", Client: server.Client()}
	r := Request{User: "u-1", Code: "c", Device: "d", ClientIP: "192.0.2.1"}
	for _, tt := range []struct {
		status      int
		ok, refused bool
	}{{204, true, false}, {200, true, false}, {401, false, true}, {403, false, true}, {500, false, false}, {404, false, false}} {
		status = tt.status
		if err := w.Check(t.Context(), r); (err == nil) != tt.ok || errors.Is(err, ErrRefused) != tt.refused {
			t.Errorf("%d gives %v", tt.status, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Check(gone, r); !errors.Is(err, context.Canceled) {
		t.Errorf("who is gone gets %v", err)
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add([]byte("u-1 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		secrets, err := parseSecrets(b)
		if err != nil && secrets != nil {
			t.Error("secrets beside an error")
		}
		for user, secret := range secrets {
			if user == "" || len(secret) < minSecret {
				t.Errorf("%q has %d bytes", user, len(secret))
			}
		}
	})
}
