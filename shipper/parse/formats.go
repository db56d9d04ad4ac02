package parse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
)

// The formats that say nothing of what lines mean.
const (
	FormatContract = "contract"
	FormatJSON     = "json"
	FormatGrok     = "grok"
	FormatDissect  = "dissect"
	FormatAuto     = "auto"
)

// What becomes of lines that do not say what has happened.
const (
	DeadLetter = "dead_letter"
	Ignore     = "ignore"
)

// The ways to take lines apart.
const (
	kindJSON    = "json"
	kindGrok    = "grok"
	kindDissect = "dissect"
)

// Options say how the lines of one source are read.
type Options struct {
	Format        string
	Patterns      []string            // of grok and dissect; the first counts that the line and its values fit
	Definitions   map[string]string   // of grok
	Layouts       []string            // of timestamps; none: the usual ones
	Location      *time.Location      // where times without a zone are; nil: UTC
	Fields        []mapping.Field     // in front of those of a ready format
	Rest          string              // what becomes of values that no field takes; "": kept
	Ignore        []mapping.Condition // lines to leave out
	WithoutAction string              // DeadLetter or Ignore; "": DeadLetter
	Defaults      Defaults
	Stages        Stages
	Now           func() time.Time // nil: time.Now; asked where a timestamp has no year
}

// ready is a format that knows what its lines mean.
type ready struct {
	name     string
	kind     string
	patterns []string
	fields   func() []mapping.Field
}

// Formats gives the names of all formats.
func Formats() []string {
	names := []string{FormatContract, FormatJSON, FormatGrok, FormatDissect, FormatAuto}
	for _, r := range readyFormats() {
		names = append(names, r.name)
	}
	return names
}

// IsText says whether the lines of a format are text, which makes sense in part too.
func IsText(format string) bool {
	for _, r := range readyFormats() {
		if r.name == format {
			return r.kind != kindJSON
		}
	}
	return format == FormatGrok || format == FormatDissect
}

// New makes what reads the lines of a source. Its errors name the option, what was found and what is allowed.
func New(o Options) (Parser, error) {
	if o.WithoutAction != "" && o.WithoutAction != DeadLetter && o.WithoutAction != Ignore {
		return nil, fmt.Errorf("without_action: found %q, allowed are %s and %s", o.WithoutAction, DeadLetter, Ignore)
	}
	switch o.Format {
	case FormatContract:
		if err := onlyContract(o); err != nil {
			return nil, err
		}
		return &Contract{defaults: o.Defaults, stages: o.Stages}, nil
	case FormatAuto:
		return newAuto(o)
	case FormatJSON:
		if len(o.Patterns) > 0 {
			return nil, errors.New("pattern: JSON has none; say in fields what its values are")
		}
		return newForeign(o, kindJSON)
	case FormatGrok, FormatDissect:
		if len(o.Patterns) == 0 {
			return nil, fmt.Errorf("pattern: format %s needs one", o.Format)
		}
		return newForeign(o, o.Format)
	}
	for _, r := range readyFormats() {
		if r.name != o.Format {
			continue
		}
		p, err := newForeign(r.options(o), r.kind)
		if err == nil && r.name == formatSyslog {
			return &syslogLines{inner: p}, nil
		}
		return p, err
	}
	hint := ""
	if near := event.Nearest(o.Format, Formats()); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return nil, fmt.Errorf("format: found %q, allowed are %s%s", o.Format, strings.Join(Formats(), ", "), hint)
}

// options are those of the user over those of the format.
func (r ready) options(o Options) Options {
	if len(o.Patterns) == 0 {
		o.Patterns = r.patterns
	}
	if r.fields != nil {
		o.Fields = slices.Concat(o.Fields, r.fields())
	}
	return o
}

// onlyContract refuses what contract lines have no use for.
func onlyContract(o Options) error {
	var errs []error
	for _, x := range []struct {
		key   string
		given bool
	}{
		{"pattern", len(o.Patterns) > 0},
		{"definitions", len(o.Definitions) > 0},
		{"time_layouts", len(o.Layouts) > 0},
		{"fields", len(o.Fields) > 0},
		{"rest", o.Rest != ""},
		{"ignore", len(o.Ignore) > 0},
		{"without_action", o.WithoutAction != ""},
	} {
		if x.given {
			errs = append(errs, fmt.Errorf("%s: contract lines are passed on as they are and have none; use format json to map", x.key))
		}
	}
	return errors.Join(errs...)
}
