// Package httpin receives lines by HTTP: a POST of newline-delimited JSON, or of any lines, packed by gzip or not. It
// answers 200 only when all of them are acknowledged by what comes behind the shipper. Whoever gets another answer, or
// none, sends the same again: the lines have the same ids then.
package httpin

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"imwatch/shipper/input/listen"
)

// Config says where and how lines are received.
type Config struct {
	Listen     string        `yaml:"listen" doc:"address, such as :8089"`
	Path       string        `yaml:"path" doc:"path that lines are posted to"`
	Token      string        `yaml:"token" secret:"true" doc:"bearer token that senders must have; it may be missing where only this machine can connect, or only clients with a certificate"`
	TLS        listen.TLS    `yaml:"tls" doc:"TLS of the listener"`
	MaxBody    int           `yaml:"max_body" doc:"most bytes of one request, unpacked; more is answered by 413"`
	MaxPending int           `yaml:"max_pending" doc:"most bytes of requests that wait for their acknowledgement at once; more is answered by 429"`
	AckTimeout time.Duration `yaml:"ack_timeout" doc:"how long a request waits for its acknowledgement; then it is answered by 503"`
	RetryAfter time.Duration `yaml:"retry_after" doc:"when a sender that was told 429 or 503 should try again"`
}

// SetDefaults fills in what is not the user's to say.
func (c *Config) SetDefaults() {
	c.Path, c.MaxBody, c.MaxPending = "/v1/lines", 8<<20, 32<<20
	c.AckTimeout, c.RetryAfter = 20*time.Second, 2*time.Second
}

// Validate names every fault by its key. None is no fault.
func (c *Config) Validate() error {
	if c == nil {
		return nil
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := listen.Address(c.Listen); err != nil {
		bad("listen: %w", err)
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, " {}") {
		bad("path: found %q, expected one such as /v1/lines", c.Path)
	}
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.Token == "" && c.TLS.ClientCA == "" && !listen.Local(c.Listen) {
		bad("token: one is needed, for others can reach %s; allowed without are addresses such as 127.0.0.1:8089, and tls.client_ca", c.Listen)
	}
	if c.MaxBody < 64<<10 || c.MaxBody > 256<<20 {
		bad("max_body: found %d, allowed are 65536 to %d", c.MaxBody, 256<<20)
	}
	if c.MaxPending < c.MaxBody || c.MaxPending > 4<<30 {
		bad("max_pending: found %d, allowed are max_body, %d, to %d", c.MaxPending, c.MaxBody, 4<<30)
	}
	if c.AckTimeout < 100*time.Millisecond || c.AckTimeout > 10*time.Minute {
		bad("ack_timeout: found %s, allowed are 100ms to 10m", c.AckTimeout)
	}
	if c.RetryAfter < time.Second || c.RetryAfter > time.Hour {
		bad("retry_after: found %s, allowed are 1s to 1h", c.RetryAfter)
	}
	return errors.Join(errs...)
}

// maxKey bounds the header by which a sender names a request.
const maxKey = 255

// headerKey names a request, so that it is recognised when it comes again.
const headerKey = "Idempotency-Key"
