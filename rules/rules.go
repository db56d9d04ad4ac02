// Package rules holds the rules shipped with the program, each in a file with its tests inside, and the calendars that
// they and others may name. Operators copy and change them; the runbook that a rule names stands in docs/runbooks.
package rules

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml
var files embed.FS

//go:embed calendars/*.yaml
var calendars embed.FS

// Files gives the rule files. Package detector/rule reads them with LoadFS.
func Files() fs.FS { return files }

// Calendars gives the files of calendars, in a folder calendars.
func Calendars() fs.FS { return calendars }
