package geo

import (
	"errors"
	"fmt"
	"time"
)

// Config names the databases. Without any, nothing is looked up.
type Config struct {
	Files         []string      `yaml:"files" doc:"databases in MaxMind's format, such as GeoLite2-City.mmdb and GeoLite2-ASN.mmdb; of what several know the first counts"`
	CheckInterval time.Duration `yaml:"check_interval" doc:"how often it is looked whether a database was replaced"`
}

// DefaultConfig gives the defaults: no database.
func DefaultConfig() Config { return Config{CheckInterval: time.Minute} }

// Validate names every fault by its key. It does not open the files.
func (c Config) Validate() error {
	var errs []error
	for i, f := range c.Files {
		if f == "" {
			errs = append(errs, fmt.Errorf("files[%d]: a path is needed", i))
		}
	}
	if c.CheckInterval <= 0 {
		errs = append(errs, fmt.Errorf("check_interval: %s is not above 0", c.CheckInterval))
	}
	return errors.Join(errs...)
}
