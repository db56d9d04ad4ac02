package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"imwatch/detector/rule"
	"imwatch/detector/sigma"
)

// SigmaOptions are the flags of rules import-sigma.
type SigmaOptions struct {
	Map    string // mapping file; "": the defaults
	Out    string // file; "": standard output
	Window string // of a detection that stands alone
	Strict bool
	Format string // of what is said about the files: text or json
}

// ImportSigma turns Sigma files into rules of ours. A rule that cannot be expressed makes it return ErrFindings; the
// others are written all the same.
func ImportSigma(paths []string, o SigmaOptions, streams Streams) (err error) {
	if len(paths) == 0 {
		return Usagef("expected at least one Sigma file or folder")
	}
	options := sigma.Options{Window: o.Window, Strict: o.Strict}
	if _, err := rule.ParseDuration(o.Window); o.Window != "" && err != nil {
		return Usagef("--window: %w", err)
	}
	if o.Map != "" {
		src, err := os.ReadFile(o.Map)
		if err != nil {
			return Usagef("--map: %w", err)
		}
		if options.Map, err = sigma.ParseMap(src); err != nil {
			return Usagef("%s: %w", o.Map, err)
		}
	}
	files, err := sigmaFiles(paths)
	if err != nil {
		return err
	}
	result, err := sigma.Import(files, options)
	if err != nil {
		return err
	}
	write := rule.WriteText
	if o.Format == "json" {
		write = rule.WriteJSON
	}
	if err := write(streams.Err, result.Findings); err != nil {
		return err
	}
	out := streams.Out
	if o.Out != "" {
		f, err := createFile(o.Out)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	if _, err := out.Write(result.YAML); err != nil {
		return fmt.Errorf("writing the rules: %w", err)
	}
	if o.Format != "json" {
		fmt.Fprintln(streams.Err, &result)
	}
	if rule.HasErrors(result.Findings) {
		return ErrFindings
	}
	return nil
}

// sigmaFiles reads files, and all .yml and .yaml files of folders.
func sigmaFiles(paths []string) (files []sigma.File, err error) {
	for _, root := range paths {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			ext := filepath.Ext(name)
			if entry.IsDir() || name != root && ext != ".yml" && ext != ".yaml" {
				return nil
			}
			src, err := os.ReadFile(name) //nolint:gosec // the user names the files
			if err == nil {
				files = append(files, sigma.File{Name: name, Src: src})
			}
			return err
		})
		if err != nil {
			return nil, Usagef("reading Sigma files: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, Usagef("found no .yml or .yaml file in %v", paths)
	}
	return files, nil
}
