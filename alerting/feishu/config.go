package feishu

import (
	"errors"
	"fmt"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The formats of a message.
const (
	Card = "card"
	Text = "text"
)

// Config says which robot is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string   `yaml:"url" doc:"the robot's webhook as Feishu or Lark shows it, …/open-apis/bot/v2/hook/…" secret:"true"`
	Secret         string   `yaml:"secret" doc:"the robot's signing secret, where it asks for signatures" secret:"true"`
	Format         string   `yaml:"format" doc:"card, coloured by severity and with the links as buttons, or text"`
	Mention        []string `yaml:"mention" doc:"open ids (ou_…) to be mentioned while an alert fires; all for everybody"`
	PerMinute      int      `yaml:"per_minute" doc:"calls in any minute at most; Feishu allows 100, and 5 in a second"`
	Reserve        int      `yaml:"reserve" doc:"of four calls, so many are kept for critical alerts"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URL must be set.
func DefaultConfig() Config { return Config{Format: Card, PerMinute: 80, Reserve: 1} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	if egress.CheckURL(c.URL) != nil {
		errs = append(errs, fmt.Errorf("%s.url: expected the robot's webhook, https://…/open-apis/bot/v2/hook/…", path))
	}
	if c.PerMinute < 1 {
		errs = append(errs, fmt.Errorf("%s.per_minute: found %d, expected at least 1", path, c.PerMinute))
	}
	if c.Reserve < 0 || c.Reserve >= burst {
		errs = append(errs, fmt.Errorf("%s.reserve: found %d, expected 0 to %d", path, c.Reserve, burst-1))
	}
	return errors.Join(append(errs, channel.CheckFormat(path, c.Format, Card, Text), c.Network.Validate(path))...)
}
