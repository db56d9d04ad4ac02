package sms

import (
	"errors"
	"fmt"
	"net/url"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// Config says which gateway is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string            `yaml:"url" doc:"the gateway's address, https:// or http://" secret:"true"`
	Numbers        []string          `yaml:"numbers" doc:"numbers that are told, each by a call of its own"`
	Form           map[string]string `yaml:"form" doc:"body as a form: names, and templates of their values with {{.Number}}, {{.Text}}, {{.Token}}, {{.ID}}"`
	JSON           string            `yaml:"json" doc:"body as JSON: a template with the same values, each through json: {\"to\": {{json .Number}}}"`
	Token          string            `yaml:"token" doc:"the gateway's secret, as {{.Token}}" secret:"true"`
	Authorization  string            `yaml:"authorization" doc:"value of the Authorization header" secret:"true"`
	Headers        map[string]string `yaml:"headers" doc:"further headers; not for secrets"`
	Success        string            `yaml:"success" doc:"condition on the JSON answer that says it was taken: code == \"OK\"; none: HTTP 2xx is enough"`
	RetryWhen      string            `yaml:"retry_when" doc:"condition on the JSON answer that says that it may be taken later"`
	MaxRunes       int               `yaml:"max_runes" doc:"longest text in characters; a longer one is cut and the rest counted"`
	AllowPrivate   bool              `yaml:"allow_private" doc:"let it call loopback, private and other addresses that are not of the public internet"`
	channel.Limits `yaml:",inline"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URL, Numbers and Form or JSON must be set.
func DefaultConfig() Config { return Config{MaxRunes: 300} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// minRunes leaves room for what an alert is about.
const minRunes = 20

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, fmt.Errorf("%s.url: expected an address, https://…", path))
	}
	if len(c.Numbers) == 0 {
		errs = append(errs, fmt.Errorf("%s.numbers: at least one number is needed", path))
	}
	if (len(c.Form) > 0) == (c.JSON != "") {
		errs = append(errs, fmt.Errorf("%s: exactly one of form and json is needed", path))
	}
	if c.MaxRunes < minRunes {
		errs = append(errs, fmt.Errorf("%s.max_runes: found %d, expected at least %d", path, c.MaxRunes, minRunes))
	}
	if _, err := newBody(*c); err != nil {
		errs = append(errs, fmt.Errorf("%s.%w", path, err))
	}
	for key, text := range map[string]string{"success": c.Success, "retry_when": c.RetryWhen} {
		if _, err := parseCondition(text); err != nil {
			errs = append(errs, fmt.Errorf("%s.%s: %w", path, key, err))
		}
	}
	return errors.Join(append(errs, c.Limits.Validate(path), c.Network.Validate(path), egress.CheckProxy(c.Network, c.AllowPrivate, path))...)
}
