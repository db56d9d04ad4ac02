package ruletest_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"testing"

	"imwatch/detector/rule"
	"imwatch/detector/ruletest"
)

// element is what Jenkins's junit-10.xsd says of one element, of what we write.
type element struct {
	required, optional, children []string
}

func junitSchema() map[string]element {
	return map[string]element{
		"testsuites": {nil, []string{"name", "time", "tests", "failures", "errors"}, []string{"testsuite"}},
		"testsuite": {
			[]string{"name", "tests", "failures", "errors"},
			[]string{"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
			[]string{"testsuite", "properties", "testcase", "system-out", "system-err"},
		},
		"testcase": {[]string{"name"}, []string{"time", "classname", "group"}, []string{"skipped", "error", "failure", "system-out", "system-err"}},
		"failure":  {nil, []string{"type", "message"}, nil},
		"error":    {nil, []string{"type", "message"}, nil},
	}
}

// checkJUnit holds a document to the schema.
func checkJUnit(t *testing.T, doc []byte) {
	t.Helper()
	surefire := regexp.MustCompile(`^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?$`)
	d := xml.NewDecoder(bytes.NewReader(doc))
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			e, known := junitSchema()[name]
			if !known || len(open) == 0 && name != "testsuites" || len(open) > 0 && !slices.Contains(junitSchema()[open[len(open)-1]].children, name) {
				t.Errorf("element %s in %v is not allowed", name, open)
			}
			var have []string
			for _, a := range token.Attr {
				have = append(have, a.Name.Local)
				if !slices.Contains(e.required, a.Name.Local) && !slices.Contains(e.optional, a.Name.Local) {
					t.Errorf("attribute %s of %s is not allowed", a.Name.Local, name)
				}
				if a.Name.Local == "time" && !surefire.MatchString(a.Value) {
					t.Errorf("time %q of %s", a.Value, name)
				}
			}
			for _, r := range e.required {
				if !slices.Contains(have, r) {
					t.Errorf("attribute %s of %s is missing", r, name)
				}
			}
			open = append(open, name)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

func TestJUnitFollowsItsSchema(t *testing.T) {
	t.Parallel()
	rules, findings := rule.Parse("r.yaml", []byte(head+`
  - name: fails
    events: [{at: 0s}]
    expect: [{at: 0s}]
  - name: passes
    events: [{at: 0s}]
    expect: []
---
id: refused
title: T
severity: wran
detect: {consecutive: {count: 5}}
`))
	report := ruletest.Run(rules)
	report.Refused = findings
	var b bytes.Buffer
	if err := report.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	checkJUnit(t, b.Bytes())
	for _, want := range []string{
		`<testsuites tests="3" failures="1" errors="1"`,
		`<testsuite name="r" tests="2" failures="1" errors="0"`,
		`file="r.yaml"`,
		`<failure type="difference" message="line 15: expected firing at 0s: it did not come">r.yaml:13`,
		`<error type="lint" message="found &#34;wran&#34;, expected one of info, warn, high, critical; the nearest is &#34;warn&#34;">r.yaml:22:11: error: `,
	} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
