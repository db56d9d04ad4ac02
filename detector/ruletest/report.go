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
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	File     string      `xml:"file,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Error     *junitFailure `xml:"error"`
	Failure   *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML, one suite for each rule, as Jenkins's schema (junit-10.xsd) has it: there
// a suite may name its file, a case may not, so the place of a failure stands in its text.
func (r Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{}
	var took time.Duration
	for i := 0; i < len(r.Results); {
		suite := junitSuite{Name: r.Results[i].RuleID, File: r.Results[i].File}
		var own time.Duration
		for ; i < len(r.Results) && r.Results[i].RuleID == suite.Name; i++ {
			t := &r.Results[i]
			own += t.Took
			c := junitCase{Name: t.Name, ClassName: t.RuleID, Time: seconds(t.Took)}
			if !t.Passed() {
				c.Failure = &junitFailure{"difference", t.Failures[0], fmt.Sprintf("%s:%d\n%s", t.File, t.Line, strings.Join(t.Failures, "\n"))}
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
	for _, f := range r.Refused {
		message := f.String()
		c := junitCase{Name: "is loaded", ClassName: orFile(f.RuleID, f.File), Time: seconds(0), Error: &junitFailure{"lint", f.Message, message}}
		all.Suites = append(all.Suites, junitSuite{Name: c.ClassName, File: f.File, Tests: 1, Errors: 1, Time: seconds(0), Cases: []junitCase{c}})
		all.Tests++
		all.Errors++
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

func orFile(id, file string) string {
	if id == "" {
		return file
	}
	return id
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
