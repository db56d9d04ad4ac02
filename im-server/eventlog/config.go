package eventlog

import (
	"errors"
	"fmt"
	"time"

	"imwatch/event"
)

// Config says where events go, and which.
type Config struct {
	Path          string         `yaml:"path" hot:"false" doc:"file that events are written to; empty: none, and connections lost in a crash get no end"`
	Stdout        bool           `yaml:"stdout" hot:"false" doc:"write events to standard output too"`
	MaxBytes      int64          `yaml:"max_bytes" doc:"size at which the file is renamed and a new one begun"`
	MaxAge        time.Duration  `yaml:"max_age" doc:"age at which the file is renamed and a new one begun"`
	Keep          int            `yaml:"keep" doc:"renamed files kept; 0: all"`
	Queue         int            `yaml:"queue" doc:"events waiting to be written before further ones are dropped and counted"`
	Level         string         `yaml:"level" doc:"info, or debug for heartbeat, join and leave too"`
	Fsync         string         `yaml:"fsync" hot:"false" doc:"when lines are forced onto the disk: none (the system's affair), interval, or always (each write, of all that waits)"`
	FsyncInterval time.Duration  `yaml:"fsync_interval" hot:"false" doc:"time after a write until fsync, with fsync: interval"`
	Sampling      SamplingConfig `yaml:"sampling"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Path: "im-server.log", MaxBytes: 256 << 20, MaxAge: time.Hour, Keep: 24, Queue: 65_536, Level: event.LevelInfo,
		Fsync: FsyncNone, FsyncInterval: time.Second,
		Sampling: SamplingConfig{Heartbeats: 0.1, Rooms: 0.1, HTTPRequests: 1, Messages: 1, WarnRate: 100, WarnShare: 0.1},
	}
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
	check(c.Fsync == FsyncNone || c.Fsync == FsyncInterval || c.Fsync == FsyncAlways, "fsync", "%q must be none, interval or always", c.Fsync)
	check(c.FsyncInterval > 0, "fsync_interval", "%v must be more than 0", c.FsyncInterval)
	s := c.Sampling
	for _, share := range []struct {
		key   string
		value float64
	}{
		{"heartbeats", s.Heartbeats}, {"rooms", s.Rooms}, {"http_requests", s.HTTPRequests}, {"messages", s.Messages}, {"warn_share", s.WarnShare},
	} {
		// A share of nothing could not be told from silence, and a tiny one would make the sums useless.
		check(share.value >= minShare && share.value <= 1, "sampling."+share.key, "%v must be from %v to 1", share.value, minShare)
	}
	check(s.WarnRate >= 1, "sampling.warn_rate", "%v must be at least 1", s.WarnRate)
	return errors.Join(errs...)
}

// minShare is the smallest share of lines that may be written.
const minShare = 0.0001

// The policies of fsync.
const (
	FsyncNone     = "none"     // lines outlive the process, not the machine
	FsyncInterval = "interval" // at most an interval of lines is lost with the machine
	FsyncAlways   = "always"   // what is written is on the disk; what waits meanwhile shares one fsync
)
