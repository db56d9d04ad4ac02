package shipper

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"imwatch/event"
	"imwatch/shipper/input/httpin"
	"imwatch/shipper/input/syslog"
	"imwatch/shipper/parse"
	"imwatch/shipper/parse/mapping"
)

// FormatContract is the format of lines of the event contract.
const FormatContract = parse.FormatContract

// formatSyslog is the format of syslog messages, header and all.
const formatSyslog = "syslog"

// Source is a set of log files of one format.
type Source struct {
	Name          string              `yaml:"name" doc:"what metrics and imwatch ship --test call it; empty: its first path"`
	Stdin         bool                `yaml:"stdin" doc:"lines come from standard input, in place of paths"`
	Syslog        *syslog.Config      `yaml:"syslog" doc:"lines come by the syslog protocols, in place of paths"`
	HTTP          *httpin.Config      `yaml:"http" doc:"lines come by HTTP, in place of paths"`
	Paths         []string            `yaml:"paths" doc:"glob patterns of the files being written; what they were rotated to is found by itself"`
	Multiline     *Multiline          `yaml:"multiline" doc:"which lines belong together; without it each is by itself"`
	TooLong       string              `yaml:"too_long" doc:"what becomes of text that is over 64 KiB: dead_letter (all of it) or cut (an event of its beginning with labels.truncated, the rest is dropped); empty: dead_letter"`
	Format        string              `yaml:"format" doc:"contract, json, grok, dissect, auto, gin, gin-json, nginx, nginx-json, envoy, envoy-json, im-json or syslog"`
	Pattern       mapping.Names       `yaml:"pattern" doc:"grok or dissect pattern, or a list of them of which the first counts that a line and its values fit; names are fields of the contract, timestamp, request, json, or what fields takes; in place of the built-in one for gin, nginx and envoy"`
	Definitions   map[string]string   `yaml:"definitions" doc:"expressions by name, for grok patterns"`
	TimeLayouts   mapping.Names       `yaml:"time_layouts" doc:"forms of the timestamp, tried in turn: Go's notation, rfc3339, epoch (by its digits), epoch_s, epoch_ms, epoch_us or epoch_ns; empty: the usual forms"`
	Timezone      string              `yaml:"timezone" doc:"IANA name of the zone of timestamps that have none; empty: UTC"`
	Fields        []mapping.Field     `yaml:"fields" doc:"what goes where, in front of what the format knows itself; per field the first entry that has a value counts"`
	Rest          string              `yaml:"rest" doc:"what becomes of values of JSON that no entry takes: keep (below foreign, not to be searched for), labels or drop; empty: keep"`
	Ignore        []mapping.Condition `yaml:"ignore" doc:"lines to leave out, by conditions as in fields[].when"`
	WithoutAction string              `yaml:"without_action" doc:"what becomes of lines that do not say what has happened: dead_letter or ignore; empty: dead_letter"`
	Service       string              `yaml:"service" doc:"service.name of lines that do not say it"`
	Environment   string              `yaml:"environment" doc:"service.environment of lines that do not say it"`
	Node          string              `yaml:"node" doc:"service.node.name of lines that do not say it; empty: the host's name"`
	Tests         []Test              `yaml:"tests" doc:"lines and what they must become, for imwatch ship --test"`
}

// Test is a line and what it must become: exactly one of Expect, DeadLetter and Ignored.
type Test struct {
	Name       string            `yaml:"name" doc:"what is tested"`
	Line       string            `yaml:"line" doc:"the line, without its newline; with multiline the lines that belong together"`
	Expect     map[string]string `yaml:"expect" doc:"values of the event by field, labels.NAME or foreign.NAME; of lists with commas between; empty: the event lacks it"`
	DeadLetter string            `yaml:"dead_letter" doc:"reason for which it becomes a dead letter"`
	Ignored    bool              `yaml:"ignored" doc:"it is left out"`
}

// Label names the source for people.
func (s Source) Label() string {
	switch {
	case s.Name != "":
		return s.Name
	case len(s.Paths) > 0:
		return s.Paths[0]
	case s.Stdin:
		return "stdin"
	case s.Syslog != nil:
		return "syslog " + cmp.Or(s.Syslog.TCP, s.Syslog.UDP)
	case s.HTTP != nil:
		return "http " + s.HTTP.Listen
	}
	return s.Format
}

func (s Source) validate() error {
	var errs []error
	if err := s.validateOrigin(); err != nil {
		errs = append(errs, err)
	}
	for _, p := range s.Paths {
		if _, err := filepath.Match(p, ""); err != nil || p == "" {
			errs = append(errs, fmt.Errorf("paths: %q is no glob pattern", p))
		}
	}
	if _, err := s.Multiline.rule(); err != nil {
		errs = append(errs, err)
	}
	switch {
	case s.TooLong != "" && s.TooLong != TooLongLetter && s.TooLong != TooLongCut:
		errs = append(errs, fmt.Errorf("too_long: found %q, allowed are %s and %s", s.TooLong, TooLongLetter, TooLongCut))
	case s.TooLong == TooLongCut && !parse.IsText(s.Format):
		errs = append(errs, fmt.Errorf("too_long: format %s is JSON, which is none any more when it is cut; allowed is %s", s.Format, TooLongLetter))
	}
	for i, t := range s.Tests {
		for _, err := range each(t.validate()) {
			errs = append(errs, fmt.Errorf("tests[%d].%w", i, err))
		}
	}
	if _, err := s.Parser(s.Node, parse.Stages{}, time.Now); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// validateOrigin checks where the lines come from.
func (s Source) validateOrigin() error {
	var errs []error
	ways := 0
	for _, given := range []bool{len(s.Paths) > 0, s.Stdin, s.Syslog != nil, s.HTTP != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		errs = append(errs, fmt.Errorf("paths: exactly one of paths, stdin, syslog and http is needed, found %d", ways))
	}
	if s.Multiline != nil && (s.Syslog != nil || s.HTTP != nil) {
		errs = append(errs, errors.New("multiline: it is for paths and stdin; a syslog message is whole, and a line sent by HTTP is one"))
	}
	for _, x := range []struct {
		key string
		err error
	}{{"syslog", s.Syslog.Validate()}, {"http", s.HTTP.Validate()}} {
		for _, err := range each(x.err) {
			errs = append(errs, fmt.Errorf("%s.%w", x.key, err))
		}
	}
	return errors.Join(errs...)
}

func (t Test) validate() error {
	var errs []error
	ways := 0
	for _, given := range []bool{len(t.Expect) > 0, t.DeadLetter != "", t.Ignored} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		errs = append(errs, errors.New("expect: exactly one of expect, dead_letter and ignored is needed"))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Expect)) {
		if _, ok := event.FieldByName(name); ok || strings.HasPrefix(name, mapping.Foreign+".") {
			continue
		}
		errs = append(errs, fmt.Errorf("expect: %q is no field of the contract, nor labels.NAME or %s.NAME; the nearest is %q", name, mapping.Foreign, event.NearestField(name)))
	}
	if reasons := parse.Reasons(); t.DeadLetter != "" && !slices.Contains(reasons, t.DeadLetter) {
		errs = append(errs, fmt.Errorf("dead_letter: found %q, allowed are %s", t.DeadLetter, strings.Join(reasons, ", ")))
	}
	return errors.Join(errs...)
}

// Parser makes what reads the source's lines. node is service.node.name of lines that do not say it. The error joins
// all faults; each begins with its key.
func (s Source) Parser(node string, stages parse.Stages, now func() time.Time) (parse.Parser, error) {
	zone, bad := time.LoadLocation(s.Timezone)
	if bad != nil {
		bad, zone = fmt.Errorf("timezone: %w", bad), time.UTC
	}
	p, err := parse.New(parse.Options{
		Format: s.Format, Patterns: s.Pattern, Definitions: s.Definitions, Layouts: s.TimeLayouts, Location: zone,
		Fields: s.Fields, Rest: s.Rest, Ignore: s.Ignore, WithoutAction: s.WithoutAction,
		Defaults: parse.Defaults{Service: s.Service, Environment: s.Environment, Node: node}, Stages: stages, Now: now,
	})
	if bad != nil || err != nil {
		return nil, errors.Join(bad, err)
	}
	return p, nil
}
