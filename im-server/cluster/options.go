package cluster

import (
	"errors"
	"fmt"
	"time"
)

// Keep says how much of what the nodes share is kept, and for how long.
type Keep struct {
	Messages  int           `yaml:"messages" doc:"messages kept of one topic, for those who are not there; older ones go first"`
	Age       time.Duration `yaml:"age" doc:"time that a message is kept"`
	Dedupe    time.Duration `yaml:"dedupe" doc:"time within which a message that a sender publishes again is known by its id"`
	Positions time.Duration `yaml:"positions" doc:"time that an unused topic's numbers and a device's place in its inbox are remembered"`
}

// DefaultKeep gives the defaults.
func DefaultKeep() Keep {
	return Keep{Messages: 1000, Age: 72 * time.Hour, Dedupe: 10 * time.Minute, Positions: 30 * 24 * time.Hour}
}

// Validate names every fault by its key, which begins with prefix, joined.
func (k Keep) Validate(prefix string) error {
	var errs []error
	if k.Messages < 1 || k.Messages > 1_000_000 {
		errs = append(errs, fmt.Errorf("%smessages: %d must be from 1 to 1000000", prefix, k.Messages))
	}
	if k.Age < time.Second {
		errs = append(errs, fmt.Errorf("%sage: %v must be at least 1s", prefix, k.Age))
	}
	if k.Dedupe < time.Second || k.Dedupe > 24*time.Hour {
		errs = append(errs, fmt.Errorf("%sdedupe: %v must be from 1s to 24h", prefix, k.Dedupe))
	}
	if least := max(k.Age, 2*k.Dedupe); k.Positions < least {
		errs = append(errs, fmt.Errorf("%spositions: %v must be at least %v, as %sage and twice %sdedupe are", prefix, k.Positions, least, prefix, prefix))
	}
	return errors.Join(errs...)
}

// Options are what every adapter needs.
type Options struct {
	Node, Boot string // of this node: its name, unique in the fleet, and what tells its starts apart
	Keep       Keep
	Now        func() time.Time // nil: the wall clock
}
