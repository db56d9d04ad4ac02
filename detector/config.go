package detector

import (
	"errors"
	"fmt"
	"time"
)

// Config is what an operator sets.
type Config struct {
	Rules           []string      `yaml:"rules" doc:"rule files and folders, read recursively; none: the rules shipped with the program"`
	Checkpoint      string        `yaml:"checkpoint" doc:"file that the state is kept in; the query evaluator's stands beside it. Not used with shards"`
	CheckpointEvery time.Duration `yaml:"checkpoint_every" doc:"how often the state is written, at least; with much state less often, so that it takes 5 % of the time at most"`
	Shards          int           `yaml:"shards" doc:"into how many shards the keys of all rules are parted, so that several detectors share the work; 0: one detector does it all and keeps its state in its file. After a change run setup, then restart all detectors: they read again what im.lifecycle still holds"`
	ReloadEvery     time.Duration `yaml:"reload_every" doc:"how often rule files are looked at for changes; 0: never"`
	BlindAfter      time.Duration `yaml:"blind_after" doc:"how far evaluation may lie behind the clock, and how long the broker or the store may not answer, until imwatch-detector-blind is raised; 0: never"`
	PulseInterval   time.Duration `yaml:"pulse_interval" doc:"how often the detector tells alerting that it lives; 0: never, and alerting stops waiting for it"`
	Query           QueryConfig   `yaml:"query"`
}

// maxShards is more than anybody needs: each shard has a goroutine, a connection and clocks of its own.
const maxShards = 1024

// QueryConfig is for rules with mode query or both.
type QueryConfig struct {
	Every    time.Duration `yaml:"every" doc:"how often the store is asked"`
	Delay    time.Duration `yaml:"delay" doc:"how far behind the clock an evaluation ends, beside the rule's lateness: the way of a line into the store"`
	LookBack time.Duration `yaml:"look_back" doc:"how old a document that arrives late may be and still be found"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Checkpoint:      "detector.checkpoint",
		CheckpointEvery: time.Second,
		ReloadEvery:     2 * time.Second,
		BlindAfter:      time.Minute,
		PulseInterval:   time.Minute,
		Query:           QueryConfig{Every: 10 * time.Second, Delay: 10 * time.Second, LookBack: time.Hour},
	}
}

// Validate gives all faults, joined, each with its key.
func (c Config) Validate() error {
	var errs []error
	if c.Checkpoint == "" {
		errs = append(errs, errors.New("checkpoint: found nothing, expected the path of a file"))
	}
	if c.Shards < 0 || c.Shards > maxShards {
		errs = append(errs, fmt.Errorf("shards: found %d, expected 0 to %d", c.Shards, maxShards))
	}
	for i, path := range c.Rules {
		if path == "" {
			errs = append(errs, fmt.Errorf("rules: entry %d is empty, expected a file or folder", i+1))
		}
	}
	for _, d := range []struct {
		key         string
		value       time.Duration
		least, most time.Duration
	}{
		{"checkpoint_every", c.CheckpointEvery, 100 * time.Millisecond, time.Hour},
		{"reload_every", c.ReloadEvery, 0, 24 * time.Hour},
		{"query.every", c.Query.Every, 100 * time.Millisecond, 24 * time.Hour},
		{"query.delay", c.Query.Delay, 0, 24 * time.Hour},
		{"query.look_back", c.Query.LookBack, 0, 30 * 24 * time.Hour},
	} {
		if d.value < d.least || d.value > d.most {
			errs = append(errs, fmt.Errorf("%s: found %v, expected %v to %v", d.key, d.value, d.least, d.most))
		}
	}
	if c.PulseInterval != 0 && (c.PulseInterval < time.Second || c.PulseInterval > time.Hour) {
		errs = append(errs, fmt.Errorf("pulse_interval: found %v, expected 0 or 1s to 1h", c.PulseInterval))
	}
	if c.BlindAfter != 0 && (c.BlindAfter < time.Second || c.BlindAfter > 24*time.Hour) {
		errs = append(errs, fmt.Errorf("blind_after: found %v, expected 0 or 1s to 24h", c.BlindAfter))
	}
	return errors.Join(errs...)
}
