package scale

import (
	"errors"
	"fmt"
	"time"
)

// Config says how advice is made. Start from DefaultConfig.
type Config struct {
	CatchUp time.Duration `yaml:"catch_up" doc:"within what time a group of consumers should have handled what waits for it: as many of them are wanted (im_index_wanted_instances and others, /-/scale)"`
	Every   time.Duration `yaml:"every" doc:"how often the group's lag is asked for; rates are those of the last four times"`
	Hold    time.Duration `yaml:"hold" doc:"how long fewer must be enough before fewer are wanted"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{CatchUp: 10 * time.Minute, Every: 15 * time.Second, Hold: 5 * time.Minute}
}

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	if c.Every < time.Second || c.Every > 10*time.Minute {
		errs = append(errs, fmt.Errorf("every: found %v, expected 1s to 10m", c.Every))
	}
	if c.CatchUp < 10*time.Second {
		errs = append(errs, fmt.Errorf("catch_up: found %v, expected at least 10s", c.CatchUp))
	}
	if c.Hold < 2*c.Every {
		errs = append(errs, fmt.Errorf("hold: found %v, expected at least two times every, %v", c.Hold, 2*c.Every))
	}
	return errors.Join(errs...)
}
