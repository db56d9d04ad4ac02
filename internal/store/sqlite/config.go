package sqlite

import (
	"errors"
	"fmt"
)

// Config says where the files are and how they are kept. Begin with DefaultConfig.
type Config struct {
	Dir          string `yaml:"dir" doc:"directory of the files, one an index; made where it is missing"`
	MaxOpenFiles int    `yaml:"max_open_files" doc:"files kept open at once; a query over more opens and closes them in turn"`
	FullSync     bool   `yaml:"full_sync" doc:"flush to the disk before each answer, so that a power failure loses nothing either; slower"`
}

// DefaultConfig returns the settings for a store in ./data/store.
func DefaultConfig() Config { return Config{Dir: "data/store", MaxOpenFiles: 64} }

// Validate returns all faults joined, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir: a directory is needed"))
	}
	if c.MaxOpenFiles < 1 || c.MaxOpenFiles > 10_000 {
		errs = append(errs, fmt.Errorf("max_open_files: %d is not within 1 to 10000", c.MaxOpenFiles))
	}
	return errors.Join(errs...)
}
