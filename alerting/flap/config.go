package flap

import (
	"errors"
	"fmt"
	"time"
)

// Config says what flaps. The zero Config: nothing does.
type Config struct {
	Fires  int           `yaml:"fires" doc:"a rule's key that fires so often within the time flaps: that is said, and further firings are held until it is calm; 0: off"`
	Within time.Duration `yaml:"within" doc:"the time within which it fires so often; at most 12h"`
	Calm   time.Duration `yaml:"calm" doc:"without a further firing for this it is calm; at most 12h"`
}

// DefaultConfig gives the defaults: off, and the times for when it is on.
func DefaultConfig() Config { return Config{Within: time.Hour, Calm: 30 * time.Minute} }

// On says whether anything flaps.
func (c Config) On() bool { return c.Fires > 0 }

// longest bounds the times: what is older than a day is forgotten.
const longest = 12 * time.Hour

// Validate gives all faults, each with its key.
func (c Config) Validate() error {
	var errs []error
	if c.Fires != 0 && (c.Fires < 2 || c.Fires > 1000) {
		errs = append(errs, fmt.Errorf("fires: found %d, expected 2 to 1000, or 0 for off", c.Fires))
	}
	if !c.On() {
		return errors.Join(errs...)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"within", c.Within}, {"calm", c.Calm}} {
		if d.value < time.Second || d.value > longest {
			errs = append(errs, fmt.Errorf("%s: found %v, expected 1s to %v", d.key, d.value, longest))
		}
	}
	return errors.Join(errs...)
}
