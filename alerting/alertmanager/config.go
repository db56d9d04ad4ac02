package alertmanager

import (
	"errors"
	"fmt"
	"time"

	"imwatch/alerting/egress"
)

// Config says which Alertmanagers are told. Begin with DefaultConfig.
type Config struct {
	URLs           []string          `yaml:"urls" doc:"addresses of the Alertmanagers of a cluster, http://alertmanager:9093; each of them is told"`
	Labels         map[string]string `yaml:"labels" doc:"labels that every alert gets"`
	Hold           time.Duration     `yaml:"hold" doc:"how long Alertmanager takes an alert for firing if it hears nothing more; longer than any repeat_interval"`
	Authorization  string            `yaml:"authorization" doc:"value of the Authorization header" secret:"true"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; URLs must be set.
func DefaultConfig() Config { return Config{Hold: 24 * time.Hour} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate gives all faults, each with its key below path.
func (c *Config) Validate(path string) error {
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, fmt.Errorf("%s.urls: at least one address is needed", path))
	}
	for i, u := range c.URLs {
		if err := egress.CheckURL(u); err != nil {
			errs = append(errs, fmt.Errorf("%s.urls[%d]: %w", path, i, err))
		}
	}
	for name := range c.Labels {
		if name != labelName(name) {
			errs = append(errs, fmt.Errorf("%s.labels: found %q, expected a name of letters, digits and _, such as %q", path, name, labelName(name)))
		}
	}
	if c.Hold < time.Minute {
		errs = append(errs, fmt.Errorf("%s.hold: found %v, expected at least 1m", path, c.Hold))
	}
	return errors.Join(append(errs, c.Network.Validate(path))...)
}
