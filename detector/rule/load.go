package rule

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"imwatch/detector/calendar"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// Load reads the rules of files and folders (recursively: .yaml and .yml, but nothing whose name begins with a dot).
// Files in folders named calendars are calendars: they are checked, and hold no rules. It gives all rules without an
// error, disabled ones included, in order of path and place, and all that is to be said about all files, in the same
// order. One bad rule never stops the others.
func Load(paths ...string) ([]*Rule, []Finding) {
	var l loader
	seen := map[string]bool{}
	for _, root := range paths {
		files, err := filesBelow(root)
		if err != nil {
			l.findings = append(l.findings, Finding{File: root, Severity: FindingError, Message: "cannot be read: " + reason(err)})
			continue
		}
		if len(files) == 0 {
			l.findings = append(l.findings, Finding{File: root, Severity: FindingError, Message: "found no file *.yaml or *.yml below this folder"})
		}
		for _, name := range files {
			if seen[name] {
				continue
			}
			seen[name] = true
			src, err := os.ReadFile(name) //nolint:gosec // the user names the rule files
			if err != nil {
				l.findings = append(l.findings, Finding{File: name, Severity: FindingError, Message: "cannot be read: " + reason(err)})
				continue
			}
			if inCalendars(root, name) {
				l.calendarFile(name, src)
			} else {
				l.file(name, src, besides(root, name))
			}
		}
	}
	return l.done()
}

// LoadFS is Load for all of a file system, such as the rules shipped.
func LoadFS(fsys fs.FS) ([]*Rule, []Finding) {
	var l loader
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isRuleFile(path.Base(name)) {
			return err
		}
		src, err := fs.ReadFile(fsys, name)
		if err == nil {
			if inCalendars(".", name) {
				l.calendarFile(name, src)
			} else {
				l.file(name, src, within(fsys, name))
			}
		}
		return err
	})
	if err != nil {
		l.findings = append(l.findings, Finding{File: ".", Severity: FindingError, Message: "cannot be read: " + reason(err)})
	}
	return l.done()
}

// Parse reads the rules of one file's content; name is what findings call it.
func Parse(name string, src []byte) ([]*Rule, []Finding) {
	var l loader
	l.file(name, src, nil)
	return l.done()
}

// reason is an error without the path that the finding names already.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// inCalendars says whether a file below root lies in a folder calendars, and so holds a calendar and no rule.
func inCalendars(root, name string) bool {
	folder := filepath.Dir(name)
	rel, err := filepath.Rel(filepath.Dir(root), folder)
	if err != nil {
		rel = ""
	}
	return filepath.Base(folder) == calendar.Folder || slices.Contains(strings.Split(filepath.ToSlash(rel), "/"), calendar.Folder)
}

func isRuleFile(base string) bool {
	ext := path.Ext(base)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(base, ".")
}

// filesBelow gives the file itself, or the rule files of a folder, sorted. Links to files are followed, since that is
// how Kubernetes mounts a ConfigMap; the folders behind them begin with two dots and are passed over.
func filesBelow(root string) ([]string, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{filepath.Clean(root)}, nil
	}
	var files []string
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != root && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !isRuleFile(entry.Name()):
			return nil
		}
		if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
			files = append(files, filepath.Clean(name)) // a broken link is reported when it is read
		}
		return nil
	})
	return files, err
}

// loader gathers rules and findings over files.
type loader struct {
	rules    []*Rule
	findings []Finding
	first    map[string]string // id → where it was given first
}

func (l *loader) done() ([]*Rule, []Finding) { return l.rules, l.findings }

func (l *loader) file(name string, src []byte, folder *neighbours) {
	found := false
	for _, doc := range documents(string(src)) {
		content, syntax := doc.parse()
		if content == nil && syntax == nil {
			continue
		}
		found = true
		d := &decoder{file: name, doc: doc, nodes: map[string]*yaml.Node{}, folder: folder}
		if syntax != nil {
			d.note(FindingError, place{syntax.line, syntax.column}, "%s", syntax.message)
		} else if r := d.rule(content); r != nil {
			if l.fresh(d, r) {
				l.rules = append(l.rules, r)
			}
			d.besides = r.Files
		}
		l.take(d)
	}
	if !found {
		l.findings = append(l.findings, Finding{File: name, Line: 1, Column: 1, Severity: FindingWarning, Message: "found no rule in this file"})
	}
}

// fresh reports an id that another rule has already. Also a faulty rule keeps its id to itself.
func (l *loader) fresh(d *decoder, r *Rule) bool {
	if l.first == nil {
		l.first = map[string]string{}
	}
	if r.ID != "" {
		if before, ok := l.first[r.ID]; ok {
			d.failAt("id", "id %q is given twice; the first is in %s", r.ID, before)
		} else {
			l.first[r.ID] = fmt.Sprintf("%s:%d", d.file, r.Line)
		}
	}
	return !HasErrors(d.findings)
}

// take adds a document's findings, in order of place, with the rule they belong to.
func (l *loader) take(d *decoder) {
	slices.SortStableFunc(d.findings, func(a, b Finding) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	for i := range d.findings {
		d.findings[i].RuleID, d.findings[i].Besides = d.ruleID, d.besides
	}
	l.findings = append(l.findings, d.findings...)
}

// rule reads one document. Faults are in d.findings; the rule is whole only if there are none.
func (d *decoder) rule(n *yaml.Node) *Rule {
	r := &Rule{
		Status: StatusEnabled, Mode: ModeStream, Where: filter.All{}, Time: Time{DefaultLateness, DefaultIdle}, Limits: Limits{DefaultKeys},
		Evidence: Evidence{Keep: DefaultKeep}, File: d.file, Line: n.Line + d.doc.before,
	}
	object(d, n, ruleKeys(), r)
	d.check(r)
	return r
}
