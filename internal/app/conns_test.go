package app

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	imserver "imwatch/im-server"
)

// TestConnsOfARealServer asks a running server as a person at a terminal does.
func TestConnsOfARealServer(t *testing.T) {
	const token = "0123456789abcdef"
	dir := t.TempDir()
	cfg := imserver.DefaultConfig()
	cfg.Addr, cfg.OpsAddr, cfg.Node, cfg.OpsToken, cfg.Log.Path = "127.0.0.1:0", "127.0.0.1:0", "im-test", token, filepath.Join(dir, "im.log")
	cfg.JWT.Keys = []imserver.JWTKey{{Algorithm: "HS256", Secret: strings.Repeat("s", 32)}}
	srv, err := imserver.New(cfg, imserver.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(dir, "ops.token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := ServerOps{Server: "http://" + srv.OpsAddr(), TokenFile: file, Actor: "tester", Out: &out}
	if err := o.List(ctx, []string{"user=u-1", "min_age=1s"}); err != nil || !strings.HasPrefix(out.String(), "CONNECTION") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := o.Kick(ctx, "user=u-1"); err != nil || !strings.Contains(out.String(), `"kicked": 0`) {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := o.Trace(ctx, "user=u-1", 10*time.Millisecond); err != nil || !strings.Contains(out.String(), "the time is over") {
		t.Errorf("%q, %v", out.String(), err)
	}
	for name, tt := range map[string]struct {
		do    func(ServerOps) error
		usage bool
		says  string
	}{
		"an unknown filter":     {func(o ServerOps) error { return o.List(ctx, []string{"usr=u-1"}) }, true, "did you mean user?"},
		"no filter":             {func(o ServerOps) error { return o.List(ctx, []string{"u-1"}) }, true, "expected FILTER=VALUE"},
		"an unknown connection": {func(o ServerOps) error { return o.Show(ctx, "c-9") }, false, `no connection "c-9"`},
		"a wrong token": {func(o ServerOps) error {
			o.TokenFile, o.Env = "", []string{tokenVariable + "=wrong"}
			return o.Kick(ctx, "c-9")
		}, false, "status 401"},
		"no token": {func(o ServerOps) error {
			o.TokenFile = ""
			return o.Kick(ctx, "c-9")
		}, true, "--token-file"},
		"nobody there": {func(o ServerOps) error {
			o.Server = "http://127.0.0.1:1"
			return o.Kick(ctx, "c-9")
		}, false, "asking the server"},
	} {
		err := tt.do(o)
		var usage *UsageError
		if err == nil || !strings.Contains(err.Error(), tt.says) || errors.As(err, &usage) != tt.usage {
			t.Errorf("%s gives %v", name, err)
		}
	}
}
