package rule

import (
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

// annotation parses a template. Whether it works is checked when the whole rule is known.
func (d *decoder) annotation(name string, n *yaml.Node) Annotation {
	// missingkey: a label that the rule does not have is an error, not "<no value>".
	t, err := template.New(name).Option("missingkey=error").Parse(n.Value)
	if err != nil {
		d.failTemplate(n, err, "")
	}
	return Annotation{Name: name, Source: strings.TrimSpace(n.Value), template: t}
}

// checkAnnotations renders the texts for sample alerts: one with all that an alert can have, one with the least.
func (d *decoder) checkAnnotations(r *Rule) {
	for _, a := range r.Annotations {
		if a.template == nil {
			continue
		}
		n := d.nodes["annotations."+a.Name]
		if _, err := a.execute(r, r.sample(true)); err != nil {
			d.failTemplate(n, err, "")
		} else if _, err := a.execute(r, r.sample(false)); err != nil {
			d.failTemplate(n, err, "fails where an alert has no top values: ")
		}
	}
}

// sample makes an alert of the rule, with or without what an alert need not have.
func (r *Rule) sample(full bool) *event.Alert {
	a := &event.Alert{
		Time: time.Unix(1_795_255_200, 0).UTC(), From: time.Unix(1_795_255_140, 0).UTC(), ID: "sample", State: event.StateFiring,
		RuleID: r.ID, RuleName: r.Title, Status: r.Status, Severity: r.Severity, Value: 1, Limit: r.Detect.Limit(),
		Window: r.Detect.WindowText(), Labels: r.Labels, Top: map[string][]event.TopValue{},
	}
	for _, f := range r.KeyFields() {
		a.Key = append(a.Key, event.KeyPart{Field: f.Name, Value: Missing})
	}
	if !full {
		return a
	}
	a.State, a.Value = event.StateUpdated, 1e6
	for _, t := range r.Evidence.Top {
		for range t.N {
			a.Top[t.Field.Name] = append(a.Top[t.Field.Name], event.TopValue{Value: "sample", Count: 1})
		}
	}
	return a
}

var (
	templatePlace = regexp.MustCompile(`^template: [^:]*:(\d+)(?::(\d+))?: `)
	templateDepth = regexp.MustCompile(`^executing "[^"]*" at <.*?>: (?:error calling \w+: )?`)
	unknownField  = regexp.MustCompile(`can't evaluate field (\w+) in type \*rule\.view`)
	missingLabel  = regexp.MustCompile(`map has no entry for key ("[^"]*")`)
)

// failTemplate reports a template's fault where it stands in the text.
func (d *decoder) failTemplate(n *yaml.Node, err error, when string) {
	message, offset := err.Error(), 0
	if m := templatePlace.FindStringSubmatch(message); m != nil {
		offset = offsetOf(n.Value, m[1], m[2])
		message = message[len(m[0]):]
	}
	message = templateDepth.ReplaceAllString(message, "")
	if m := unknownField.FindStringSubmatch(message); m != nil {
		near := didYouMean("."+m[1], variables())
		message = "unknown variable ." + m[1] + near + "; allowed are " + strings.Join(variables(), ", ")
	} else if m := missingLabel.FindStringSubmatch(message); m != nil {
		message = "the rule has no label " + m[1]
	}
	d.note(FindingError, placeIn(d.doc.lines, n, offset), "template: %s%s", when, strings.TrimPrefix(message, "reflect: "))
}

// offsetOf turns line and column (from 0, in bytes; "" where unknown) of a text into a byte offset.
func offsetOf(s, line, column string) int {
	rest, offset := s, 0
	for n, _ := strconv.Atoi(line); n > 1; n-- {
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		rest, offset = rest[i+1:], offset+i+1
	}
	n, _ := strconv.Atoi(column)
	return offset + min(n, len(rest))
}
