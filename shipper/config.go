package shipper

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"imwatch/shipper/parse/geo"
	"imwatch/shipper/parse/redact"
	"imwatch/shipper/sample"
)

// The ways to notice changes.
const (
	WatchAuto = "auto"
	WatchPoll = "poll"
)

// Config says what is shipped and how. Start from DefaultConfig.
type Config struct {
	Sources            []Source      `yaml:"sources" doc:"the log files, each set with its format"`
	Geo                geo.Config    `yaml:"geo" doc:"where clients are: client.geo.* and client.as.* from client.ip"`
	UserAgents         bool          `yaml:"user_agents" doc:"add what user_agent.original names: program, system and device"`
	Redact             redact.Config `yaml:"redact" doc:"what is taken out of events"`
	Sampling           sample.Config `yaml:"sampling" doc:"which share of frequent lines is shipped; by default all"`
	Checkpoint         string        `yaml:"checkpoint" doc:"file that remembers how far each log was shipped; it must survive restarts"`
	Queue              Queue         `yaml:"queue" doc:"where lines wait that Kafka has not acknowledged"`
	WindowBytes        int           `yaml:"window_bytes" doc:"most bytes, compressed, that are held in memory until they are acknowledged"`
	Watch              string        `yaml:"watch" doc:"how changes are noticed: auto (by the system's notifications, else polling) or poll"`
	PollInterval       time.Duration `yaml:"poll_interval" doc:"how often files are looked at when polling"`
	BatchLines         int           `yaml:"batch_lines" doc:"most lines sent to the broker at once"`
	BatchBytes         int           `yaml:"batch_bytes" doc:"most bytes sent to the broker at once"`
	WatermarkInterval  time.Duration `yaml:"watermark_interval" doc:"how often each node's progress is told to the detectors"`
	LagBound           time.Duration `yaml:"lag_bound" doc:"from what age on of the oldest line that Kafka has not acknowledged the log tells how catching up goes, and imwatch ship status says that the shipper is unhealthy"`
	CanaryInterval     time.Duration `yaml:"canary_interval" doc:"how often a canary is sent the whole way, so that detectors and alerting notice when it is cut; 0: never, and they stop waiting for one"`
	CheckpointInterval time.Duration `yaml:"checkpoint_interval" doc:"how often the checkpoint is written at most"`
	CloseAfter         time.Duration `yaml:"close_after" doc:"how long a rotated file is kept open without a change; then an unfinished last line of it becomes a dead letter"`
	CloseIdle          time.Duration `yaml:"close_idle" doc:"how long a file that does not grow is kept open; it is opened again when it does"`
	OpenFiles          int           `yaml:"open_files" doc:"most files that are open at once, but for packed and deleted ones that are not read yet; those that have not grown for longest are closed first"`
	ForgetAfter        time.Duration `yaml:"forget_after" doc:"how long positions of deleted files, and nodes that have no file any more, are remembered"`
	ShutdownTimeout    time.Duration `yaml:"shutdown_timeout" doc:"how long a stop waits for the broker's acknowledgements; what is missing then is sent at the next start"`
	ExitAtEnd          bool          `yaml:"exit_at_end" doc:"ship what is there and end, instead of following the files"`
}

// When the queue is made durable.
const (
	FsyncNever    = "never"
	FsyncInterval = "interval"
	FsyncAlways   = "always"
)

// What becomes of lines for which a full queue has no room.
const (
	FullBlock  = "block"
	FullOldest = "drop_oldest"
	FullNewest = "drop_newest"
)

// QueueAuto as the queue's directory is one beside the checkpoint.
const QueueAuto = "auto"

// queueDir is the queue's directory; empty: there is none.
func (c Config) queueDir() string {
	if c.Queue.Dir == QueueAuto {
		return c.Checkpoint + ".queue"
	}
	return c.Queue.Dir
}

// Queue says how lines wait on disk.
type Queue struct {
	Dir           string        `yaml:"dir" doc:"directory of the queue; auto: beside the checkpoint, under its name and .queue; empty: lines wait in the logs and in memory only, and after a kill some are sent twice, under the same ids"`
	MaxBytes      int64         `yaml:"max_bytes" doc:"most bytes, compressed, that wait for Kafka"`
	Full          string        `yaml:"full" doc:"what happens when max_bytes wait or the disk is full: block (no more is read), drop_oldest (lines that wait longest are dropped) or drop_newest (lines that were read are)"`
	Fsync         string        `yaml:"fsync" doc:"never (a kill of the shipper loses nothing), interval (a power failure costs it up to fsync_interval, which is read from the logs again and sent twice) or always"`
	FsyncInterval time.Duration `yaml:"fsync_interval" doc:"how often fsync: interval makes it durable"`
}

func (q Queue) validate() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("queue."+format, args...)) }
	if q.Full != FullBlock && q.Full != FullOldest && q.Full != FullNewest {
		bad("full: %q is not one of %s, %s, %s", q.Full, FullBlock, FullOldest, FullNewest)
	}
	if q.Dir == "" {
		if q.Full == FullOldest || q.Full == FullNewest {
			bad("full: %s needs a queue, and queue.dir is empty", q.Full)
		}
		return errs
	}
	if q.MaxBytes < 1<<20 || q.MaxBytes > 1<<44 {
		bad("max_bytes: %d is not between %d and %d", q.MaxBytes, 1<<20, int64(1)<<44)
	}
	if q.Fsync != FsyncNever && q.Fsync != FsyncInterval && q.Fsync != FsyncAlways {
		bad("fsync: %q is not one of %s, %s, %s", q.Fsync, FsyncNever, FsyncInterval, FsyncAlways)
	}
	if q.FsyncInterval < 10*time.Millisecond || q.FsyncInterval > time.Hour {
		bad("fsync_interval: %s is not between 10ms and 1h", q.FsyncInterval)
	}
	return errs
}

// DefaultConfig gives the defaults. Sources are the user's to name.
func DefaultConfig() Config {
	return Config{
		Geo:                geo.DefaultConfig(),
		Redact:             redact.DefaultConfig(),
		Sampling:           sample.DefaultConfig(),
		Checkpoint:         "data/shipper/checkpoint.json",
		Queue:              Queue{Dir: QueueAuto, MaxBytes: 1 << 30, Full: FullBlock, Fsync: FsyncInterval, FsyncInterval: time.Second},
		WindowBytes:        4 << 20,
		Watch:              WatchAuto,
		PollInterval:       250 * time.Millisecond,
		BatchLines:         5000,
		BatchBytes:         1 << 20,
		WatermarkInterval:  250 * time.Millisecond,
		LagBound:           30 * time.Second,
		CanaryInterval:     time.Minute,
		CheckpointInterval: time.Second,
		CloseAfter:         30 * time.Second,
		CloseIdle:          5 * time.Minute,
		OpenFiles:          1000,
		ForgetAfter:        24 * time.Hour,
		ShutdownTimeout:    5 * time.Second,
	}
}

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Sources) == 0 {
		bad("sources: at least one is needed")
	}
	for i, s := range c.Sources {
		if err := s.validate(); err != nil {
			for fault := range strings.SplitSeq(err.Error(), "\n") {
				bad("sources[%d].%s", i, fault)
			}
		}
	}
	errs = append(errs, c.validateStages()...)
	errs = append(errs, c.validateInputs())
	if c.Checkpoint == "" {
		bad("checkpoint: a file is needed")
	}
	errs = append(errs, c.Queue.validate()...)
	if c.WindowBytes < 1<<16 || c.WindowBytes > 1<<30 {
		bad("window_bytes: %d is not between %d and %d", c.WindowBytes, 1<<16, 1<<30)
	}
	if c.Watch != WatchAuto && c.Watch != WatchPoll {
		bad("watch: %q is neither %s nor %s", c.Watch, WatchAuto, WatchPoll)
	}
	if c.OpenFiles < 10 || c.OpenFiles > 1_000_000 {
		bad("open_files: %d is not between 10 and 1000000", c.OpenFiles)
	}
	if c.BatchLines < 1 || c.BatchLines > 100_000 {
		bad("batch_lines: %d is not between 1 and 100000", c.BatchLines)
	}
	if c.BatchBytes < 1<<10 || c.BatchBytes > 64<<20 {
		bad("batch_bytes: %d is not between 1024 and %d", c.BatchBytes, 64<<20)
	}
	for _, d := range []struct {
		key string
		d   time.Duration
	}{
		{"poll_interval", c.PollInterval},
		{"watermark_interval", c.WatermarkInterval},
		{"lag_bound", c.LagBound},
		{"checkpoint_interval", c.CheckpointInterval},
		{"close_after", c.CloseAfter},
		{"close_idle", c.CloseIdle},
		{"forget_after", c.ForgetAfter},
		{"shutdown_timeout", c.ShutdownTimeout},
	} {
		if d.d <= 0 {
			bad("%s: %s is not above 0", d.key, d.d)
		}
	}
	if c.CanaryInterval != 0 && (c.CanaryInterval < time.Second || c.CanaryInterval > time.Hour) {
		bad("canary_interval: %s is neither 0 nor between 1s and 1h", c.CanaryInterval)
	}
	return errors.Join(errs...)
}

// validateInputs checks what sources that are no files have in common.
func (c Config) validateInputs() error {
	var errs []error
	pipes := 0
	for i, s := range c.Sources {
		if s.Stdin {
			pipes++
		}
		if c.ExitAtEnd && (s.Syslog != nil || s.HTTP != nil) {
			errs = append(errs, fmt.Errorf("sources[%d]: a listener has no end; without exit_at_end it can be used", i))
		}
	}
	if pipes > 1 {
		errs = append(errs, fmt.Errorf("sources: %d are stdin, and there is one", pipes))
	}
	return errors.Join(errs...)
}
