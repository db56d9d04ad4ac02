package webhook

import (
	"errors"
	"fmt"
	"net/url"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The formats of the body.
const (
	JSON        = "json"
	CloudEvents = "cloudevents"
)

// Config says what is called and how. Begin with DefaultConfig.
type Config struct {
	URL            string            `yaml:"url" doc:"where to POST to, https:// or http://" secret:"true"`
	Format         string            `yaml:"format" doc:"json, or cloudevents: the same as the data of a CloudEvent 1.0 (structured mode)"`
	Source         string            `yaml:"source" doc:"source attribute of CloudEvents"`
	Secret         string            `yaml:"secret" doc:"key of the HMAC-SHA256 signature; none: not signed" secret:"true"`
	Authorization  string            `yaml:"authorization" doc:"value of the Authorization header" secret:"true"`
	Headers        map[string]string `yaml:"headers" doc:"further headers; not for secrets"`
	AllowPrivate   bool              `yaml:"allow_private" doc:"let it call loopback, private and other addresses that are not of the public internet"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URL must be set.
func DefaultConfig() Config { return Config{Format: JSON, Source: "/imwatch/alerting"} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, fmt.Errorf("%s.url: expected an address, https://…", path))
	} else if u.User != nil {
		errs = append(errs, fmt.Errorf("%s.url: user and password belong into authorization", path))
	}
	if c.Format != "" {
		errs = append(errs, channel.CheckFormat(path, c.Format, JSON, CloudEvents))
	}
	if c.Format == CloudEvents && c.Source == "" {
		errs = append(errs, fmt.Errorf("%s.source: CloudEvents need a source, such as /imwatch/alerting", path))
	}
	return errors.Join(append(errs, c.Network.Validate(path), egress.CheckProxy(c.Network, c.AllowPrivate, path))...)
}
