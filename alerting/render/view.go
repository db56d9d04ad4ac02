package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// view is what templates see. All of its texts are clean for the style.
type view struct {
	Kind     channel.Kind
	ID       string
	Severity string
	Rule     string // the rule's title, or its id where it has none
	RuleID   string
	Key      []event.KeyPart
	KeyText  string
	Value    float64
	Limit    string
	Window   string
	From     time.Time
	At       time.Time
	To       time.Time     // zero unless resolved
	Lasted   time.Duration // from the start to this state
	Summary  string
	Runbook  string
	Notes    []note // further annotations
	Top      []top
	Labels   []note
	Degraded bool
	Flapping string // how often it fired, and that further ones are not told; "": it does not flap
	Links    []channel.Link
	Table    [][]string // Top in rows of field, value and count
	Passed   string     // why it is passed on; "": it is not
}

type note struct{ Name, Text string }

type top struct {
	Field  string
	Values []event.TopValue
}

func newView(kind channel.Kind, a *event.Alert, clean func(string) string) view {
	v := view{
		Kind: kind, ID: clean(a.ID), Severity: clean(a.Severity), Rule: clean(cmp.Or(a.RuleName, a.RuleID)), RuleID: clean(a.RuleID),
		KeyText: clean(a.KeyString()), Value: a.Value, Limit: clean(a.Limit), Window: clean(a.Window),
		From: a.From, At: a.Time, To: a.To, Lasted: a.Time.Sub(a.From),
		Summary: clean(a.Annotations["summary"]), Runbook: clean(a.Annotations["runbook"]), Degraded: a.Degraded,
	}
	for _, p := range a.Key {
		v.Key = append(v.Key, event.KeyPart{Field: clean(p.Field), Value: clean(p.Value)})
	}
	for field, values := range a.Top {
		t := top{Field: clean(field)}
		for _, x := range values {
			t.Values = append(t.Values, event.TopValue{Value: clean(x.Value), Count: x.Count})
		}
		v.Top = append(v.Top, t)
	}
	slices.SortFunc(v.Top, func(a, b top) int { return strings.Compare(a.Field, b.Field) })
	for _, t := range v.Top {
		for _, x := range t.Values {
			v.Table = append(v.Table, []string{t.Field, x.Value, number(x.Count)})
		}
	}
	v.Labels = notes(a.Labels, clean)
	for _, n := range notes(a.Annotations, clean) {
		switch n.Name {
		case "summary", "runbook":
		case FlappingNote:
			v.Flapping = n.Text
		default:
			v.Notes = append(v.Notes, n)
		}
	}
	return v
}

func notes(m map[string]string, clean func(string) string) []note {
	var ns []note
	for k, t := range m {
		ns = append(ns, note{clean(k), clean(t)})
	}
	slices.SortFunc(ns, func(a, b note) int { return strings.Compare(a.Name, b.Name) })
	return ns
}
