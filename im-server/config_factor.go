package imserver

import (
	"fmt"
	"net/http"
	"time"

	"imwatch/im-server/factor"
	"imwatch/im-server/source"
)

// FactorConfig says what is asked for beside a token. Neither file nor hook: nothing.
type FactorConfig struct {
	TOTPFile     string        `yaml:"totp_file" doc:"file of secrets for six-digit codes (RFC 6238): a user and its secret in base32 a line; read again when it changes"`
	TOTPRequired bool          `yaml:"totp_required" doc:"refuse users that have no secret in totp_file; false: they need no code"`
	WebhookURL   string        `yaml:"webhook_url" doc:"https:// URL that is asked whether a code is good: 2xx yes, 401 and 403 no"`
	WebhookToken string        `yaml:"webhook_token" secret:"true" doc:"bearer token for the hook; empty: none"`
	Timeout      time.Duration `yaml:"timeout" doc:"time for the hook to answer"`
}

func (c FactorConfig) validate(v *faults) {
	v.check(c.TOTPFile == "" || c.WebhookURL == "", "second_factor", "totp_file and webhook_url exclude each other")
	v.check(!c.TOTPRequired || c.TOTPFile != "", "second_factor.totp_required", "needs totp_file")
	v.check(c.WebhookToken == "" || c.WebhookURL != "", "second_factor.webhook_token", "needs webhook_url")
	if c.WebhookURL != "" {
		err := source.Check(c.WebhookURL)
		if err == nil && !source.IsURL(c.WebhookURL) {
			err = fmt.Errorf("%q is not an https:// URL", c.WebhookURL)
		}
		v.check(err == nil, "second_factor.webhook_url", "%v", err)
		v.positive("second_factor.timeout", c.Timeout)
	}
}

// newFactor makes the check of second factors; nil if none is asked for.
func (s *Server) newFactor() (factor.Checker, error) {
	c := s.conf().SecondFactor
	switch {
	case s.deps.SecondFactor != nil:
		return s.deps.SecondFactor, nil
	case c.TOTPFile != "":
		t, err := factor.NewTOTP(c.TOTPFile, c.TOTPRequired, source.Options{Now: s.now, Done: s.looked})
		if err != nil {
			return nil, fmt.Errorf("second_factor.totp_file: %w", err)
		}
		return t, nil
	case c.WebhookURL != "":
		return &factor.Webhook{URL: c.WebhookURL, Token: c.WebhookToken, Client: &http.Client{Timeout: c.Timeout}}, nil
	}
	return nil, nil //nolint:nilnil // documented: none
}
