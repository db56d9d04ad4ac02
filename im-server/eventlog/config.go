package eventlog

import (
	"errors"
	"fmt"
	"time"

	"imwatch/event"
)

// Config says where events go, and which.
type Config struct {
	Path     string        `yaml:"path" doc:"file that events are written to; empty: none, and connections lost in a crash get no end"`
	Stdout   bool          `yaml:"stdout" doc:"write events to standard output too"`
	MaxBytes int64         `yaml:"max_bytes" doc:"size at which the file is renamed and a new one begun"`
	MaxAge   time.Duration `yaml:"max_age" doc:"age at which the file is renamed and a new one begun"`
	Keep     int           `yaml:"keep" doc:"renamed files kept; 0: all"`
	Queue    int           `yaml:"queue" doc:"events waiting to be written before further ones are dropped and counted"`
	Level    string        `yaml:"level" doc:"info, or debug for heartbeat, join and leave too"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{Path: "im-server.log", MaxBytes: 256 << 20, MaxAge: time.Hour, Keep: 24, Queue: 65_536, Level: event.LevelInfo}
}

// Validate names every fault by its key, joined. prefix stands before each key.
func (c Config) Validate(prefix string) error {
	var errs []error
	check := func(ok bool, key, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s%s: %s", prefix, key, fmt.Sprintf(format, args...)))
		}
	}
	check(c.MaxBytes >= 1<<10, "max_bytes", "%d must be at least 1024", c.MaxBytes)
	check(c.MaxAge > 0, "max_age", "%v must be more than 0", c.MaxAge)
	check(c.Keep >= 0, "keep", "%d must not be negative", c.Keep)
	check(c.Queue >= 1, "queue", "%d must be at least 1", c.Queue)
	check(c.Level == event.LevelInfo || c.Level == event.LevelDebug, "level", "%q must be info or debug", c.Level)
	return errors.Join(errs...)
}
