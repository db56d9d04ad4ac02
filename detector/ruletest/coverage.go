package ruletest

import (
	"fmt"
	"io"
	"strings"

	"imwatch/detector/engine"
	"imwatch/detector/kql"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/event/filter"
)

// Coverage is what the tests of one rule have exercised of it: each part of its conditions once true and once false,
// that it fires, that it does not fire when it nearly does, and each severity that it can have.
type Coverage struct {
	RuleID string
	File   string
	Line   int
	Tests  int
	Leaves []LeafCoverage
	Fired  bool
	// Missed says that in some test a key had events and did not fire; Most is how many of the rule's events the key
	// had that came nearest.
	Missed     bool
	Most       int
	Severities []SeverityCoverage // those of severity_when; none: the rule has one only
}

// LeafCoverage is one part of a condition that looks at a field.
type LeafCoverage struct {
	Path  string // where it stands: "where", "detect.consecutive.reset"
	KQL   string
	True  bool // for some event of some test
	False bool
}

// SeverityCoverage says whether an alert of this severity came.
type SeverityCoverage struct {
	Severity string
	Seen     bool
}

// Points gives how many things there are to exercise, and how many were.
func (c *Coverage) Points() (hit, all int) {
	count := func(is bool) {
		all++
		if is {
			hit++
		}
	}
	for _, l := range c.Leaves {
		count(l.True)
		count(l.False)
	}
	count(c.Fired)
	count(c.Missed)
	for _, s := range c.Severities {
		count(s.Seen)
	}
	return hit, all
}

// Gaps says what was never exercised, one thing a line; none: nothing is missing.
func (c *Coverage) Gaps() (gaps []string) {
	for _, l := range c.Leaves {
		if !l.True {
			gaps = append(gaps, fmt.Sprintf("%s: %s was never true", l.Path, l.KQL))
		}
		if !l.False {
			gaps = append(gaps, fmt.Sprintf("%s: %s was never false", l.Path, l.KQL))
		}
	}
	if !c.Fired {
		gaps = append(gaps, "no test makes it fire")
	}
	if !c.Missed {
		gaps = append(gaps, "no test shows when it does not fire: too few events of a key, or others")
	}
	for _, s := range c.Severities {
		if !s.Seen {
			gaps = append(gaps, "no alert has the severity "+s.Severity)
		}
	}
	return gaps
}

// probe watches the tests of one rule.
type probe struct {
	rule   *rule.Rule
	where  func(*event.Event) bool
	leaves []func(*event.Event) bool
	report Coverage
}

func newProbe(r *rule.Rule) *probe {
	p := &probe{rule: r, where: filter.Compile(r.Where), report: Coverage{RuleID: r.ID, File: r.File, Line: r.Line, Tests: len(r.Tests)}}
	for _, c := range r.Conditions() {
		for _, leaf := range rule.Leaves(c.Expr) {
			p.leaves = append(p.leaves, filter.Compile(leaf))
			p.report.Leaves = append(p.report.Leaves, LeafCoverage{Path: c.Path, KQL: kql.Format(leaf)})
		}
	}
	for _, s := range r.SeverityWhen {
		p.report.Severities = append(p.report.Severities, SeverityCoverage{Severity: s.Severity})
	}
	return p
}

// watch takes what one test sent and what came of it.
func (p *probe) watch(sent []arrival, alerts []*event.Alert) {
	fired := map[string]bool{}
	for _, a := range alerts {
		if a.State == event.StateFiring {
			p.report.Fired = true
			own := event.Alert{Key: a.Key[:min(len(a.Key), len(p.rule.GroupBy))]} // new_term adds the new value
			fired[own.KeyString()] = true
		}
		for i, s := range p.report.Severities {
			p.report.Severities[i].Seen = s.Seen || a.Severity == s.Severity
		}
	}
	had := map[string]int{}
	for _, s := range sent {
		for i, leaf := range p.leaves {
			is, l := leaf(s.ev), &p.report.Leaves[i]
			l.True, l.False = l.True || is, l.False || !is
		}
		n := 0
		if p.where(s.ev) && p.rule.Takes(s.ev.UnixNano()) {
			n = 1
		}
		for _, key := range engine.KeysOf(p.rule, s.ev) {
			had[p.keyText(key)] += n
		}
	}
	for key, n := range had {
		if !fired[key] {
			p.report.Missed = true
			p.report.Most = max(p.report.Most, n)
		}
	}
}

// keyText prints a key as alerts do.
func (p *probe) keyText(key string) string {
	parts, _ := engine.SplitKey(key, len(p.rule.GroupBy))
	var a event.Alert
	for i, part := range parts {
		a.Key = append(a.Key, event.KeyPart{Field: p.rule.GroupBy[i].Name, Value: part.String()})
	}
	return a.KeyString()
}

// WriteCoverage writes one line for each rule and the total; with gaps also what was never exercised.
func (r Report) WriteCoverage(w io.Writer, gaps bool) error {
	var b strings.Builder
	hit, all, full := 0, 0, 0
	for i := range r.Coverage {
		c := &r.Coverage[i]
		h, n := c.Points()
		hit, all = hit+h, all+n
		if h == n {
			full++
		}
		fmt.Fprintf(&b, "coverage %s: %d of %d (%d%%)%s\n", c.RuleID, h, n, h*100/n, c.words())
		for _, g := range c.Gaps() {
			if gaps {
				fmt.Fprintf(&b, "    %s:%d: %s\n", c.File, c.Line, g)
			}
		}
	}
	if all > 0 {
		fmt.Fprintf(&b, "coverage in all: %d of %d (%d%%), %d of %d rules whole\n", hit, all, hit*100/all, full, len(r.Coverage))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the coverage: %w", err)
	}
	return nil
}

// words says the most important in a few words.
func (c *Coverage) words() string {
	if c.Tests == 0 {
		return ", no tests"
	}
	half := 0
	for _, l := range c.Leaves {
		if !l.True || !l.False {
			half++
		}
	}
	s := fmt.Sprintf(", %d tests", c.Tests)
	if c.Tests == 1 {
		s = ", 1 test"
	}
	if half > 0 {
		s += fmt.Sprintf(", %d of %d conditions not seen both true and false", half, len(c.Leaves))
	}
	if !c.Fired {
		s += ", never fired"
	}
	switch {
	case c.Missed && c.Most == 0:
		s += ", near miss with other events"
	case c.Missed:
		s += fmt.Sprintf(", near miss with %d events", c.Most)
	default:
		s += ", no near miss"
	}
	return s
}
