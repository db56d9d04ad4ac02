package webhook

import (
	"errors"
	"fmt"
	"net/url"
)

// Config says what is called and how. Begin with DefaultConfig.
type Config struct {
	URL           string            `yaml:"url" doc:"where to POST to, https:// or http://" secret:"true"`
	Secret        string            `yaml:"secret" doc:"key of the HMAC-SHA256 signature; none: not signed" secret:"true"`
	Authorization string            `yaml:"authorization" doc:"value of the Authorization header" secret:"true"`
	Headers       map[string]string `yaml:"headers" doc:"further headers; not for secrets"`
	AllowPrivate  bool              `yaml:"allow_private" doc:"let it call loopback, private and other addresses that are not of the public internet"`
	CAFile        string            `yaml:"ca_file" doc:"PEM file of further certificate authorities"`
}

// DefaultConfig gives the defaults; URL must be set.
func DefaultConfig() Config { return Config{} }

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
	return errors.Join(errs...)
}
