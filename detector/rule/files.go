package rule

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// neighbours are the files beside a rule's own.
type neighbours struct {
	// read reads a file named relative to the rule's own, and says where that is.
	read func(name string) (content []byte, at string, err error)
	// list gives the names of the files in a folder, none if it is not there.
	list func(folder string) []string
	up   int // how many folders above the rule's own are loaded with it
}

// above says how many folders lie from root, not counted, to a file's own, counted.
func above(root, file string) int {
	rel, err := filepath.Rel(root, filepath.Dir(file))
	if err != nil || rel == "." || strings.HasPrefix(rel, "..") {
		return 0
	}
	return strings.Count(filepath.ToSlash(rel), "/") + 1
}

// besides gives the files of the operating system beside a rule file that was found below root.
func besides(root, ruleFile string) *neighbours {
	return &neighbours{up: above(root, ruleFile), list: func(folder string) []string {
		entries, _ := os.ReadDir(filepath.Join(filepath.Dir(ruleFile), folder))
		return namesOf(entries)
	}, read: func(name string) ([]byte, string, error) {
		at := name
		if !filepath.IsAbs(name) {
			at = filepath.Join(filepath.Dir(ruleFile), name)
		}
		b, err := os.ReadFile(at) //nolint:gosec // the author of the rule names it
		return b, at, err
	}}
}

func namesOf(entries []fs.DirEntry) (names []string) {
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// within gives the files beside a rule of a file system. They never change while the program runs.
func within(fsys fs.FS, ruleFile string) *neighbours {
	return &neighbours{up: above(".", ruleFile), list: func(folder string) []string {
		entries, _ := fs.ReadDir(fsys, path.Join(path.Dir(ruleFile), folder))
		return namesOf(entries)
	}, read: func(name string) ([]byte, string, error) {
		b, err := fs.ReadFile(fsys, path.Join(path.Dir(ruleFile), name))
		return b, "", err
	}}
}

// open reads a file that the rule names.
func (d *decoder) open(name string) ([]byte, string, error) {
	if d.folder == nil {
		return nil, "", errors.New("the rule itself is in no file")
	}
	return d.folder.read(name)
}
