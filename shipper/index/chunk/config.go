package chunk

import (
	"errors"
	"fmt"
	"time"
)

// Config says how large chunks are. Begin with DefaultConfig.
type Config struct {
	Bytes    int           `yaml:"bytes" doc:"a partition's messages are kept as one chunk when they have so many bytes"`
	Age      time.Duration `yaml:"age" doc:"or when the first of them has waited so long: nothing is seen of it before"`
	HeldMost int           `yaml:"held_most" doc:"most bytes held of all partitions together; past it the largest chunk is kept early"`
	RetryMin time.Duration `yaml:"retry_min" doc:"wait before the first repetition of what could not be kept; it doubles each time"`
	RetryMax time.Duration `yaml:"retry_max" doc:"longest wait between repetitions"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{Bytes: 64 << 20, Age: time.Minute, HeldMost: 256 << 20, RetryMin: 200 * time.Millisecond, RetryMax: 15 * time.Second}
}

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.Bytes < 1<<10 || c.Bytes > 1<<30, "bytes: %d is not within %d to %d", c.Bytes, 1<<10, 1<<30)
	fault(c.HeldMost < c.Bytes, "held_most: %d is below bytes, %d", c.HeldMost, c.Bytes)
	fault(c.Age <= 0 || c.Age > time.Hour, "age: %s is not within 0 to 1h", c.Age)
	fault(c.RetryMin <= 0, "retry_min: %s is not above 0", c.RetryMin)
	fault(c.RetryMax < c.RetryMin, "retry_max: %s is below retry_min, %s", c.RetryMax, c.RetryMin)
	return errors.Join(errs...)
}
