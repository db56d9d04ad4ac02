package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"imwatch/detector/calendar"

	"go.yaml.in/yaml/v3"
)

// When bounds a rule to the hours of a calendar: what happens outside is not taken in. For absence it is the instant of
// firing that is looked at.
type When struct {
	Calendar *calendar.Calendar
	Name     string
	Inside   bool // within the calendar's hours; false: outside of them
}

// In says whether an instant, in nanoseconds since 1970, is one of the rule's.
func (w *When) In(at int64) bool { return w.Calendar.In(at) == w.Inside }

// Gate gives a faster In for instants that lie near one another. It belongs to one goroutine.
func (w *When) Gate() func(at int64) bool {
	cursor := w.Calendar.Cursor()
	return func(at int64) bool { return cursor.In(at) == w.Inside }
}

// Takes says whether the rule takes in what happens at an instant.
func (r *Rule) Takes(at int64) bool { return r.When == nil || r.Detect.Absence != nil || r.When.In(at) }

func whenKeys() []key[When] {
	return []key[When]{
		{name: "calendar", required: true, doc: "the name of a calendar: a file in the folder calendars beside the rules, or one that is shipped", schema: textSchema(), read: func(d *decoder, n *yaml.Node, w *When) {
			if name, ok := d.text(n, "the name of a calendar"); ok {
				w.Name, w.Calendar = name, d.calendar(n, name)
			}
		}},
		{name: "inside", doc: "true: within the calendar's hours; false: outside of them; default true", schema: schema{"type": "boolean"}, read: func(d *decoder, n *yaml.Node, w *When) {
			if v, ok := d.truth(n); ok {
				w.Inside = v
			}
		}},
	}
}

func readWhen(d *decoder, n *yaml.Node, r *Rule) {
	w := &When{Inside: true}
	if object(d, n, whenKeys(), w); w.Calendar != nil {
		r.When = w
	}
	r.Files = append(r.Files, d.calendars...)
}

// calendar finds a calendar: beside the rule, beside the folders above it up to the one that is loaded, or shipped.
func (d *decoder) calendar(n *yaml.Node, name string) *calendar.Calendar {
	if name != path.Base(name) || strings.HasPrefix(name, ".") {
		d.fail(n, "found %q, expected the name of a calendar without folder and ending", name)
		return nil
	}
	for up := 0; d.folder != nil && up <= d.folder.up; up++ {
		folder := path.Join(strings.Repeat("../", up), calendar.Folder)
		for _, ending := range []string{".yaml", ".yml"} {
			src, at, err := d.open(path.Join(folder, name+ending))
			if at != "" {
				d.calendars = append(d.calendars, at)
			}
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				d.fail(n, "the calendar %s cannot be read: %s", name, reason(err))
				return nil
			}
			c, faults := calendar.Read(name, src)
			for _, f := range faults {
				d.fail(n, "the calendar %s is bad: %s%s:%d:%d: %s", name, name, ending, f.Line, f.Column, f.Message)
			}
			if c != nil {
				c.File = at
			}
			return c
		}
	}
	c, err := calendar.Shipped(name)
	if err != nil {
		names := d.calendarNames()
		d.fail(n, "unknown calendar %q%s; known are %s", name, didYouMean(name, names), strings.Join(names, ", "))
		return nil
	}
	return c
}

func (d *decoder) calendarNames() []string {
	names := calendar.ShippedNames()
	for up := 0; d.folder != nil && up <= d.folder.up; up++ {
		for _, file := range d.folder.list(path.Join(strings.Repeat("../", up), calendar.Folder)) {
			if name := calendar.NameOf(file); name != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// calendarFile checks a calendar for itself, so that one that no rule names yet is looked at too.
func (l *loader) calendarFile(name string, src []byte) {
	_, faults := calendar.Read(calendar.NameOf(path.Base(name)), src)
	for _, f := range faults {
		l.findings = append(l.findings, Finding{File: name, Line: f.Line, Column: f.Column, Severity: FindingError, Message: f.Message})
	}
}

// CheckCalendars warns of calendars that list holidays, but none for the year of an instant.
func CheckCalendars(rules []*Rule, now time.Time) (findings []Finding) {
	for _, r := range rules {
		if r.When == nil {
			continue
		}
		if year, lacks := r.When.Calendar.Lacks(now); lacks {
			findings = append(findings, Finding{
				File: r.File, Line: r.Line, Column: 1, Severity: FindingWarning, RuleID: r.ID,
				Message: fmt.Sprintf("the calendar %s lists no holidays of %d: its days are taken as ordinary ones; add them to the file", r.When.Name, year),
			})
		}
	}
	return findings
}
