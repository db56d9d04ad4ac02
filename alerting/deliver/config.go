package deliver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Config says how attempts are made and repeated.
type Config struct {
	Timeout  time.Duration `yaml:"timeout" doc:"longest time of one attempt"`
	First    time.Duration `yaml:"first" doc:"pause after the first failed attempt; it doubles from there"`
	Max      time.Duration `yaml:"max" doc:"longest pause between attempts, unless the provider asks for more"`
	Deadline time.Duration `yaml:"deadline" doc:"counted from the first attempt: past it the notification has failed, and goes to the fallback"`
	Lease    time.Duration `yaml:"lease" doc:"how long a sender keeps a notification to itself; after a crash it is sent by another one, or after the restart, when this has passed"`
}

// DefaultConfig gives the defaults. The lease is thrice the time-out, so that a slow attempt is never overtaken.
func DefaultConfig() Config {
	return Config{Timeout: 10 * time.Second, First: time.Second, Max: time.Minute, Deadline: time.Hour, Lease: 30 * time.Second}
}

// Validate gives all faults, each with its key below path.
func (c Config) Validate(path string) error {
	var errs []error
	for _, d := range []struct {
		key        string
		value, min time.Duration
		why        string
	}{
		{"timeout", c.Timeout, 10 * time.Millisecond, ""},
		{"first", c.First, 10 * time.Millisecond, ""},
		{"max", c.Max, c.First, " (first)"},
		{"deadline", c.Deadline, c.Timeout, " (timeout)"},
		{"lease", c.Lease, 2 * c.Timeout, " (twice the timeout)"},
	} {
		if d.value < d.min {
			errs = append(errs, fmt.Errorf("%s.%s: found %v, expected at least %v%s", path, d.key, d.value, d.min, d.why))
		}
	}
	return errors.Join(errs...)
}

// pause gives the time to wait after so many attempts: doubling, with a fifth of jitter either way so that many
// notifications that failed together do not come back together.
func (c Config) pause(attempts int) time.Duration {
	d := c.First
	for i := 1; i < attempts && d < c.Max; i++ {
		d *= 2
	}
	d = min(d, c.Max)
	return d - d/5 + rand.N(2*d/5+1) //nolint:gosec // jitter needs no secrecy
}
