package rule

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"text/template"
	"time"

	"imwatch/event"
)

// maxAnnotation bounds a rendered annotation, in bytes: all channels cut far below it.
const maxAnnotation = 16 << 10

// Annotation is a text for people, with the places where values of the alert go.
type Annotation struct {
	Name     string
	Source   string // as written
	template *template.Template
}

// Render fills a.Annotations with the rule's texts for this alert. An alert is never lost for a text: one that fails
// (say, it takes the third of two top values) stays as written in the rule, and the error tells which and why.
func (r *Rule) Render(a *event.Alert) error {
	if len(r.Annotations) == 0 {
		return nil
	}
	rendered := make(map[string]string, len(r.Annotations))
	var errs []error
	for _, n := range r.Annotations {
		s, err := n.execute(r, a)
		if err != nil {
			s = n.Source
			errs = append(errs, fmt.Errorf("rendering annotation %s of rule %s: %w", n.Name, r.ID, err))
		}
		rendered[n.Name] = s
	}
	a.Annotations = rendered
	return errors.Join(errs...)
}

func (n Annotation) execute(r *Rule, a *event.Alert) (string, error) {
	var b boundedText
	if err := n.template.Execute(&b, &view{r, a}); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}

// boundedText takes text up to maxAnnotation.
type boundedText struct{ strings.Builder }

func (b *boundedText) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxAnnotation {
		return 0, fmt.Errorf("longer than %d bytes", maxAnnotation)
	}
	return b.Builder.Write(p)
}

// view is what a template sees of an alert: its exported methods are the variables.
type view struct {
	rule  *Rule
	alert *event.Alert
}

// variables names what templates may use, as it is written there.
func variables() []string {
	return []string{
		`.Key "field"`, ".Value", ".Limit", ".Window", ".Rule", ".Title", ".Severity", ".State", ".From", `.Top "field"`, ".Labels",
	}
}

// Key gives the alert's value of a field of group_by.
func (v *view) Key(field string) (string, error) {
	if f, ok := event.FieldByName(field); ok {
		field = f.Name
	}
	names := make([]string, len(v.alert.Key))
	for i, p := range v.alert.Key {
		if p.Field == field {
			return p.Value, nil
		}
		names[i] = p.Field
	}
	if len(names) == 0 {
		return "", fmt.Errorf("found .Key %q, but the rule has no group_by", field)
	}
	return "", fmt.Errorf("found .Key %q, which is not in group_by; allowed are %s", field, joinQuoted(names))
}

// Top gives the most frequent values of a field of evidence.top.
func (v *view) Top(field string) (topValues, error) {
	if f, ok := event.FieldByName(field); ok {
		field = f.Name
	}
	names := make([]string, len(v.rule.Evidence.Top))
	for i, t := range v.rule.Evidence.Top {
		names[i] = t.Field.Name
		if t.Field.Name != field {
			continue
		}
		var list topValues
		for _, top := range v.alert.Top[field] {
			list = append(list, topValue{top.Value, number(top.Count)})
		}
		return list, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("found .Top %q, but the rule has no evidence.top", field)
	}
	return nil, fmt.Errorf("found .Top %q, which is not in evidence.top; allowed are %s", field, joinQuoted(names))
}

// Value gives the number compared.
func (v *view) Value() number { return number(v.alert.Value) }

// Limit gives what it was compared with.
func (v *view) Limit() string { return v.alert.Limit }

// Window gives the rule's window.
func (v *view) Window() string { return v.alert.Window }

// Rule gives the rule's id.
func (v *view) Rule() string { return v.alert.RuleID }

// Title gives the rule's title.
func (v *view) Title() string { return v.rule.Title }

// Severity gives the alert's severity.
func (v *view) Severity() string { return v.alert.Severity }

// State gives firing, updated or resolved.
func (v *view) State() string { return v.alert.State }

// From gives the start of the spell.
func (v *view) From() moment { return moment{v.alert.From, v.alert.FromText} }

// Labels gives the rule's labels.
func (v *view) Labels() map[string]string { return maps.Clone(v.rule.Labels) }

// number prints without exponent: 2500000, 0.25.
type number float64

// String prints the number.
func (n number) String() string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }

// moment prints as the contract asks; its methods, as .Format, are those of [time.Time].
type moment struct {
	time.Time
	text string // as it came, "" if like FormatTime
}

// String prints the moment.
func (m moment) String() string {
	if m.text != "" {
		return m.text
	}
	return event.FormatTime(m.Time)
}

type topValue struct {
	Value string
	Count number
}

// String prints a value and how often it was seen.
func (t topValue) String() string { return t.Value + " (" + t.Count.String() + ")" }

type topValues []topValue

// String prints all values in one line.
func (ts topValues) String() string {
	texts := make([]string, len(ts))
	for i, t := range ts {
		texts[i] = t.String()
	}
	return strings.Join(texts, ", ")
}
