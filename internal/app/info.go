package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"imwatch/internal/config"
)

// PrintConfig writes the effective configuration with secrets masked.
func PrintConfig(cfg Config, w io.Writer) error {
	b, err := config.Print(&cfg)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Health asks an address for its health, for container health checks where there is no other HTTP client.
func Health(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Usagef("%w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("not healthy: status %d: %s", resp.StatusCode, b)
	}
	return nil
}
