package app

import (
	"errors"
	"fmt"
	"slices"
)

// cleanups is what has to be closed, in the order in which it was opened.
type cleanups struct {
	list []closer
}

type closer struct {
	name  string
	close func() error
}

func (c *cleanups) add(name string, f func() error) { c.list = append(c.list, closer{name, f}) }

// run closes all, the last first, whatever fails.
func (c *cleanups) run() error {
	var errs []error
	for _, x := range slices.Backward(c.list) {
		if err := x.close(); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", x.name, err))
		}
	}
	c.list = nil
	return errors.Join(errs...)
}
