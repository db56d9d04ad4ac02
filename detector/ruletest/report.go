package ruletest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText writes one line for each failed test with what differs below it, and a count at the end.
func (r Report) WriteText(w io.Writer) error {
	failed := r.Failed()
	for _, t := range failed {
		if _, err := fmt.Fprintf(w, "%s:%d: FAIL %s: %s\n", t.File, t.Line, t.RuleID, t.Name); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		for _, f := range t.Failures {
			if _, err := fmt.Fprintf(w, "    %s\n", f); err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
		}
	}
	if _, err := fmt.Fprintf(w, "%d tests of %d rules: %d passed, %d failed\n",
		len(r.Results), r.rules(), len(r.Results)-len(failed), len(failed)); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func (r Report) rules() int {
	ids := map[string]bool{}
	for _, t := range r.Results {
		ids[t.RuleID] = true
	}
	return len(ids)
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr,omitempty"`
	Line      int           `xml:"line,attr,omitempty"`
	Time      string        `xml:"time,attr"`
	Failure   *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML, one suite for each rule.
func (r Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{}
	var took time.Duration
	for i := 0; i < len(r.Results); {
		suite := junitSuite{Name: r.Results[i].RuleID}
		var own time.Duration
		for ; i < len(r.Results) && r.Results[i].RuleID == suite.Name; i++ {
			t := &r.Results[i]
			own += t.Took
			c := junitCase{Name: t.Name, ClassName: t.RuleID, File: t.File, Line: t.Line, Time: seconds(t.Took)}
			if !t.Passed() {
				c.Failure = &junitFailure{t.Failures[0], strings.Join(t.Failures, "\n")}
				suite.Failures++
			}
			suite.Cases = append(suite.Cases, c)
		}
		suite.Tests, suite.Time = len(suite.Cases), seconds(own)
		took += own
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Suites = append(all.Suites, suite)
	}
	all.Time = seconds(took)
	b, err := xml.MarshalIndent(all, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	}
	if err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
