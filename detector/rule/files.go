package rule

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// opener reads a file named in a rule, relative to the rule's own, and says where that is.
type opener func(name string) (content []byte, at string, err error)

// besides opens files of the operating system beside a rule file.
func besides(ruleFile string) opener {
	return func(name string) ([]byte, string, error) {
		at := name
		if !filepath.IsAbs(name) {
			at = filepath.Join(filepath.Dir(ruleFile), name)
		}
		b, err := os.ReadFile(at) //nolint:gosec // the author of the rule names it
		return b, at, err
	}
}

// within opens files beside a rule of a file system. They never change while the program runs.
func within(fsys fs.FS, ruleFile string) opener {
	return func(name string) ([]byte, string, error) {
		b, err := fs.ReadFile(fsys, path.Join(path.Dir(ruleFile), name))
		return b, "", err
	}
}

// open reads a file that the rule names.
func (d *decoder) open(name string) ([]byte, string, error) {
	if d.folder == nil {
		return nil, "", errors.New("the rule itself is in no file")
	}
	return d.folder(name)
}
