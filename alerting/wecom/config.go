package wecom

import (
	"errors"
	"fmt"
	"net/url"
)

// The formats of a message.
const (
	Markdown = "markdown"
	Text     = "text"
)

// Config says which robot is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string   `yaml:"url" doc:"the robot's webhook as WeCom shows it, with its key" secret:"true"`
	Format         string   `yaml:"format" doc:"markdown, or text (shorter, and the only one that can mention by mobile number)"`
	Mention        []string `yaml:"mention" doc:"user ids to be mentioned while an alert fires; @all for everybody (text only)"`
	MentionMobiles []string `yaml:"mention_mobiles" doc:"mobile numbers to be mentioned while an alert fires (text only)"`
	PerMinute      int      `yaml:"per_minute" doc:"calls in any minute at most; WeCom allows 20"`
	UseProxy       bool     `yaml:"use_proxy" doc:"go through the proxy that HTTPS_PROXY names"`
	CAFile         string   `yaml:"ca_file" doc:"PEM file of further certificate authorities"`
}

// DefaultConfig gives the defaults; URL must be set.
func DefaultConfig() Config { return Config{Format: Markdown, PerMinute: 20} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds the URL.
func (c *Config) Validate(path string) error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, fmt.Errorf("%s.url: expected the robot's webhook, https://…/cgi-bin/webhook/send?key=…", path))
	}
	if c.Format != Markdown && c.Format != Text {
		errs = append(errs, fmt.Errorf("%s.format: found %q, expected markdown or text", path, c.Format))
	}
	if c.PerMinute < 1 {
		errs = append(errs, fmt.Errorf("%s.per_minute: found %d, expected at least 1", path, c.PerMinute))
	}
	if c.Format == Markdown && len(c.MentionMobiles) > 0 {
		errs = append(errs, fmt.Errorf("%s.mention_mobiles: only format: text can mention by mobile number", path))
	}
	return errors.Join(errs...)
}
