package detector

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"imwatch/detector/rule"
	"imwatch/detector/ruletest"
	"imwatch/detector/window"
)

// rulebook loads rules, and keeps the version that runs of those that have gone bad.
type rulebook struct {
	paths   []string
	shipped fs.FS // without paths
	running []*rule.Rule
	besides []string // what else rules were read from
	refused []refusal
}

// refusal is a rule, or a whole file, that was not taken in.
type refusal struct {
	file    string
	ruleID  string // "" where the file does not say
	reasons []string
	kept    bool // an older version goes on running
}

// load reads all rules and settles which run from now on.
func (b *rulebook) load() {
	var loaded []*rule.Rule
	var findings []rule.Finding
	switch {
	case len(b.paths) > 0:
		loaded, findings = rule.Load(b.paths...)
	case b.shipped != nil:
		loaded, findings = rule.LoadFS(b.shipped)
	}
	b.refused, b.besides = nil, nil
	for _, r := range loaded {
		b.besides = append(b.besides, r.Files...)
	}
	for _, f := range findings {
		b.besides = append(b.besides, f.Besides...)
		if f.Severity == rule.FindingError {
			b.refuse(f.File, f.RuleID, fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message))
		}
	}
	failed := map[string]bool{}
	for _, t := range ruletest.Run(loaded).Failed() {
		failed[t.RuleID] = true
		b.refuse(t.File, t.RuleID, fmt.Sprintf("%d: test %q: %s", t.Line, t.Name, strings.Join(t.Failures, "; ")))
	}
	good := map[string]bool{}
	var next []*rule.Rule
	for _, r := range loaded {
		if _, err := window.NewKind(r); err != nil {
			b.refuse(r.File, r.ID, err.Error())
		} else if !failed[r.ID] {
			good[r.ID] = true
			next = append(next, r)
		}
	}
	b.running = b.keep(next, good)
}

func (b *rulebook) refuse(file, ruleID, reason string) {
	for i := range b.refused {
		if b.refused[i].file == file && b.refused[i].ruleID == ruleID {
			b.refused[i].reasons = append(b.refused[i].reasons, reason)
			return
		}
	}
	b.refused = append(b.refused, refusal{file: file, ruleID: ruleID, reasons: []string{reason}})
}

// keep adds the running versions of what was refused.
func (b *rulebook) keep(next []*rule.Rule, good map[string]bool) []*rule.Rule {
	for _, r := range b.running {
		for i := range b.refused {
			f := &b.refused[i]
			if f.ruleID != r.ID && (f.ruleID != "" || f.file != r.File && !strings.HasPrefix(r.File, f.file+string(filepath.Separator))) {
				continue
			}
			f.kept = true
			if !good[r.ID] {
				good[r.ID] = true
				next = append(next, r)
			}
		}
	}
	return next
}

// signature changes when a rule file changes, or another that a rule was read from.
func (b *rulebook) signature() string {
	h := sha256.New()
	for _, root := range slices.Concat(b.paths, b.besides) {
		_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, _ error) error {
			if info, err := os.Stat(path); err != nil { // follows links, as a ConfigMap has them
				fmt.Fprintf(h, "%q gone\n", path)
			} else if !info.IsDir() {
				fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// changedAt gives when a file was changed last, now where it cannot be asked.
func changedAt(file string, now time.Time) time.Time {
	if info, err := os.Stat(file); err == nil {
		return info.ModTime()
	}
	return now
}
