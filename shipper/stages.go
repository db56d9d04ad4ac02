package shipper

import (
	"errors"
	"fmt"
	"time"

	"imwatch/shipper/parse"
	"imwatch/shipper/parse/agent"
	"imwatch/shipper/parse/geo"
	"imwatch/shipper/parse/redact"
	"imwatch/shipper/sample"
)

// Stages is what is done to the events of all sources. Open it with Config.OpenStages, use it from one goroutine, close
// it.
type Stages struct {
	parse.Stages
	places *geo.Places // nil: none
	redact *redact.Redactor
}

// stageCounts are told what the stages do; either may be nil.
type stageCounts struct{ redacted, looked func(string) }

// OpenStages makes ready what is configured. A database that cannot be opened is an error that names it.
func (c Config) OpenStages(now time.Time) (*Stages, error) { return c.openStages(now, stageCounts{}) }

func (c Config) openStages(now time.Time, count stageCounts) (*Stages, error) {
	s := &Stages{}
	var err error
	if s.redact, err = redact.New(c.Redact, count.redacted); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	s.Redact = s.redact
	if len(c.Geo.Files) > 0 {
		if s.places, err = geo.Open(c.Geo, count.looked, now); err != nil {
			return nil, fmt.Errorf("geo.files: %w", err)
		}
		s.Enrich = append(s.Enrich, s.places)
	}
	if c.UserAgents {
		s.Enrich = append(s.Enrich, agent.New())
	}
	if c.Sampling.On() {
		s.Sample = sample.New(c.Sampling)
	}
	return s, nil
}

// Original gives a line as a dead letter may keep it.
func (s *Stages) Original(line string) string { return s.redact.Original(line) }

// refresh looks for databases that were replaced.
func (s *Stages) refresh(now time.Time) error {
	if s.places == nil {
		return nil
	}
	return s.places.Refresh(now)
}

// Close lets go of the databases.
func (s *Stages) Close() error {
	if s.places == nil {
		return nil
	}
	return s.places.Close()
}

// validateStages names every fault by its key.
func (c Config) validateStages() []error {
	var errs []error
	for _, part := range []struct {
		key string
		err error
	}{{"geo", c.Geo.Validate()}, {"redact", c.Redact.Validate()}, {"sampling", c.Sampling.Validate()}} {
		for _, err := range each(part.err) {
			errs = append(errs, fmt.Errorf("%s.%w", part.key, err))
		}
	}
	return errs
}

// each gives the errors that were joined.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
