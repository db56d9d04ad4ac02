package wecom

import (
	"errors"
	"fmt"
	"slices"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The formats of a message.
const (
	Markdown     = "markdown"
	MarkdownV2   = "markdown_v2"
	Text         = "text"
	TemplateCard = "template_card"
)

// Formats gives all formats.
func Formats() []string { return []string{Markdown, MarkdownV2, Text, TemplateCard} }

// Config says which robot is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string   `yaml:"url" doc:"the robot's webhook as WeCom shows it, with its key" secret:"true"`
	Format         string   `yaml:"format" doc:"markdown; markdown_v2: tables, neither colours nor mentions; text: shorter, the only one that can mention by mobile number; template_card: a card with buttons"`
	Mention        []string `yaml:"mention" doc:"user ids to be mentioned while an alert fires (markdown, text); @all for everybody (text only)"`
	MentionMobiles []string `yaml:"mention_mobiles" doc:"mobile numbers to be mentioned while an alert fires (text only)"`
	CardURL        string   `yaml:"card_url" doc:"where a card leads that has no link of its own (template_card; WeCom demands one)"`
	PerMinute      int      `yaml:"per_minute" doc:"calls in any minute at most; WeCom allows 20"`
	Reserve        int      `yaml:"reserve" doc:"of these, so many are kept for critical alerts"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URL must be set.
func DefaultConfig() Config { return Config{Format: Markdown, PerMinute: 20, Reserve: 4} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds the URL.
func (c *Config) Validate(path string) error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", path, key, fmt.Sprintf(format, args...)))
	}
	if egress.CheckURL(c.URL) != nil {
		fault("url", "expected the robot's webhook, https://…/cgi-bin/webhook/send?key=…")
	}
	errs = append(errs, channel.CheckFormat(path, c.Format, Formats()...), channel.CheckPace(path, c.PerMinute, c.Reserve))
	if c.Format != Text && len(c.MentionMobiles) > 0 {
		fault("mention_mobiles", "only format: text can mention by mobile number")
	}
	if c.Format != Text && c.Format != Markdown && len(c.Mention) > 0 {
		fault("mention", "only format: text and format: markdown can mention")
	}
	if c.Format == Markdown && slices.Contains(c.Mention, "@all") {
		fault("mention", "only format: text can mention @all")
	}
	if c.Format == TemplateCard && egress.CheckURL(c.CardURL) != nil {
		fault("card_url", "format: template_card needs an address, https://…, for cards without a link of their own")
	}
	return errors.Join(append(errs, c.Network.Validate(path))...)
}
