//go:build !unix

package embedded

import (
	"errors"
	"os"
)

func lock(string) (*os.File, error) {
	return nil, errors.New("the embedded broker needs a Unix-like system to lock its data")
}
