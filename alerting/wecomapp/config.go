package wecomapp

import (
	"errors"
	"fmt"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The formats of a message.
const (
	Markdown = "markdown"
	Text     = "text"
)

// Config says which application speaks and who is told. Begin with DefaultConfig.
type Config struct {
	CorpID         string        `yaml:"corp_id" doc:"the corporation's id, ww…"`
	Secret         string        `yaml:"secret" doc:"the application's secret" secret:"true"`
	AgentID        int           `yaml:"agent_id" doc:"the application's AgentId"`
	Users          []string      `yaml:"users" doc:"user ids that are told; @all for everybody the application is visible to"`
	Parties        []string      `yaml:"parties" doc:"department ids that are told"`
	Tags           []string      `yaml:"tags" doc:"tag ids that are told"`
	Format         string        `yaml:"format" doc:"markdown (not shown in WeChat), or text"`
	Duplicates     time.Duration `yaml:"duplicates" doc:"how long WeCom suppresses the same message, so that one sent again after a lost answer is not shown twice; 0: it does not; at most 4h"`
	PerMinute      int           `yaml:"per_minute" doc:"calls in any minute at most; WeCom silently drops what a member gets beyond 30"`
	Reserve        int           `yaml:"reserve" doc:"of these, so many are kept for critical alerts"`
	URL            string        `yaml:"url" doc:"address of the interface"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; CorpID, Secret, AgentID and somebody to tell must be set.
func DefaultConfig() Config {
	return Config{Format: Markdown, Duplicates: 30 * time.Minute, PerMinute: 20, Reserve: 4, URL: "https://qyapi.weixin.qq.com"}
}

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", path, key, fmt.Sprintf(format, args...)))
	}
	if c.CorpID == "" {
		fault("corp_id", "the corporation's id is needed")
	}
	if c.Secret == "" {
		fault("secret", "the application's secret is needed")
	}
	if c.AgentID <= 0 {
		fault("agent_id", "found %d, expected the application's AgentId", c.AgentID)
	}
	if len(c.Users)+len(c.Parties)+len(c.Tags) == 0 {
		fault("users", "somebody is needed: users, parties or tags")
	}
	if len(c.Users) > 1000 || len(c.Parties) > 100 || len(c.Tags) > 100 {
		fault("users", "found %d users, %d parties, %d tags, expected at most 1000, 100 and 100", len(c.Users), len(c.Parties), len(c.Tags))
	}
	if c.Duplicates < 0 || c.Duplicates > 4*time.Hour {
		fault("duplicates", "found %v, expected 0 to 4h", c.Duplicates)
	}
	if err := egress.CheckURL(c.URL); err != nil {
		fault("url", "%v", err)
	}
	return errors.Join(append(errs, channel.CheckFormat(path, c.Format, Markdown, Text),
		channel.CheckPace(path, c.PerMinute, c.Reserve), c.Network.Validate(path))...)
}
