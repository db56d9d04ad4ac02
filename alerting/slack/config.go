package slack

import (
	"errors"
	"fmt"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// Config says which webhook is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string   `yaml:"url" doc:"the incoming webhook, https://hooks.slack.com/services/…" secret:"true"`
	Mention        []string `yaml:"mention" doc:"who is mentioned while an alert fires: member ids (U…), group ids (S…), here, channel"`
	PerMinute      int      `yaml:"per_minute" doc:"calls in any minute at most; Slack allows about one a second"`
	Reserve        int      `yaml:"reserve" doc:"of these, so many are kept for critical alerts"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URL must be set.
func DefaultConfig() Config { return Config{PerMinute: 50, Reserve: 5} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	if egress.CheckURL(c.URL) != nil {
		errs = append(errs, fmt.Errorf("%s.url: expected the webhook, https://hooks.slack.com/services/…", path))
	}
	return errors.Join(append(errs, channel.CheckPace(path, c.PerMinute, c.Reserve), c.Network.Validate(path))...)
}
