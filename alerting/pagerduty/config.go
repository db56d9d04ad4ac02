package pagerduty

import (
	"errors"
	"fmt"

	"imwatch/alerting/egress"
)

// Config says which service is told. Begin with DefaultConfig.
type Config struct {
	RoutingKey     string `yaml:"routing_key" doc:"the integration key of the service (Events API v2)" secret:"true"`
	URL            string `yaml:"url" doc:"where events go; the EU's is https://events.eu.pagerduty.com/v2/enqueue"`
	Source         string `yaml:"source" doc:"what PagerDuty shows as the source where the key has no node"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; RoutingKey must be set.
func DefaultConfig() Config {
	return Config{URL: "https://events.pagerduty.com/v2/enqueue", Source: "imwatch"}
}

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string) error {
	var errs []error
	if c.RoutingKey == "" {
		errs = append(errs, fmt.Errorf("%s.routing_key: the service's integration key is needed", path))
	}
	if err := egress.CheckURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("%s.url: %w", path, err))
	}
	if c.Source == "" {
		errs = append(errs, fmt.Errorf("%s.source: a name is needed", path))
	}
	return errors.Join(append(errs, c.Network.Validate(path))...)
}
