package dingtalk

import (
	"errors"
	"fmt"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The formats of a message.
const (
	Markdown = "markdown"
	Text     = "text"
)

// Config says which robot is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string   `yaml:"url" doc:"the robot's webhook as DingTalk shows it, with its access_token" secret:"true"`
	Secret         string   `yaml:"secret" doc:"the robot's secret, SEC…, where it asks for signatures" secret:"true"`
	Format         string   `yaml:"format" doc:"markdown or text"`
	Mention        []string `yaml:"mention" doc:"user ids to be mentioned while an alert fires"`
	MentionMobiles []string `yaml:"mention_mobiles" doc:"mobile numbers to be mentioned while an alert fires"`
	MentionAll     bool     `yaml:"mention_all" doc:"mention everybody while an alert fires"`
	PerMinute      int      `yaml:"per_minute" doc:"calls in any minute at most; DingTalk allows 20, and takes nothing for ten minutes after one more"`
	Reserve        int      `yaml:"reserve" doc:"of these, so many are kept for critical alerts"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URL must be set. The budget leaves DingTalk's limit two calls of room.
func DefaultConfig() Config { return Config{Format: Markdown, PerMinute: 18, Reserve: 4} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	if egress.CheckURL(c.URL) != nil {
		errs = append(errs, fmt.Errorf("%s.url: expected the robot's webhook, https://…/robot/send?access_token=…", path))
	}
	return errors.Join(append(errs, channel.CheckFormat(path, c.Format, Markdown, Text),
		channel.CheckPace(path, c.PerMinute, c.Reserve), c.Network.Validate(path))...)
}
