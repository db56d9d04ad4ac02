package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// peer is Alertmanager: alone, without gossip.
type peer struct {
	cmd *exec.Cmd
	url string
}

func openPeer(ctx context.Context, b *bench, dir string, h *hook) (contender, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(b.peerConfig(h.url())), 0o600); err != nil {
		return nil, fmt.Errorf("writing Alertmanager's configuration: %w", err)
	}
	p := &peer{url: "http://" + address}
	p.cmd = exec.CommandContext(ctx, b.peer, "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), //nolint:gosec // the peer that was asked for
		"--web.listen-address="+address, "--cluster.listen-address=", "--log.level=error")
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Alertmanager (Debian's package prometheus-alertmanager): %w", err)
	}
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	for _, address := range b.silenced(b.load) {
		if err := p.post(ctx, "silences", map[string]any{
			"matchers": []any{map[string]any{"name": "client_ip", "value": address, "isRegex": false, "isEqual": true}},
			"startsAt": time.Now().UTC(), "endsAt": time.Now().Add(time.Hour).UTC(), "createdBy": "bench", "comment": "bench",
		}); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

func (b *bench) peerConfig(hook string) string {
	var c strings.Builder
	by, wait, interval := "['...']", "0s", "1s"
	if b.grouped {
		by, wait, interval = "[alertname]", "30s", "5m"
	}
	fmt.Fprintf(&c, "route:\n  receiver: hook\n  group_by: %s\n  group_wait: %s\n  group_interval: %s\n  repeat_interval: 4h\n", by, wait, interval)
	fmt.Fprintf(&c, "receivers:\n  - name: hook\n    webhook_configs:\n      - url: %s\ninhibit_rules:\n", hook)
	for i := range b.rules {
		fmt.Fprintf(&c, "  - {source_matchers: ['alertname = %s'], target_matchers: ['alertname = rule-%d'], equal: [node]}\n", source(i), i)
	}
	return c.String()
}

func (p *peer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/-/ready", http.NoBody)
		if err != nil {
			return fmt.Errorf("asking Alertmanager: %w", err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close() // an empty one
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Alertmanager: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (p *peer) post(ctx context.Context, what string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", what, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v2/"+what, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("posting %s: %w", what, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("posting %s: %w", what, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("posting %s: HTTP %d: %s: %w", what, resp.StatusCode, answer, err)
	}
	return nil
}

func (p *peer) hand(ctx context.Context, alerts []alert) error {
	list := make([]any, len(alerts))
	now := time.Now().UTC()
	for i, a := range alerts {
		list[i] = map[string]any{
			"labels":      map[string]string{"alertname": a.rule, "severity": a.severity, "node": a.node, "client_ip": a.ip, "id": a.id},
			"annotations": map[string]string{"summary": a.ip + ": 21 failed handshakes in a minute"},
			"startsAt":    now, "endsAt": now.Add(time.Hour),
		}
	}
	return p.post(ctx, "alerts", list)
}

func (p *peer) pid() int { return p.cmd.Process.Pid }

func (p *peer) close() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending Alertmanager: %w", err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("ending Alertmanager: %w", err)
	}
	return nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
