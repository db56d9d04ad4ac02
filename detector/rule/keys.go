package rule

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"imwatch/detector/yamlnode"
	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// The keys of a rule, in the order in which they are told to people. They are the one source for the loader and for
// the JSON Schema.

var (
	idForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	labelForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)
)

func ruleKeys() []key[Rule] {
	return []key[Rule]{
		{
			name: "id", required: true, doc: "stable identity of the rule's alerts; unique, and never used again for something else",
			schema: schema{"type": "string", "pattern": idForm.String()}, read: readID,
		},
		{
			name: "title", required: true, doc: "what people call it", schema: textSchema(),
			read: text("a title", func(r *Rule) *string { return &r.Title }),
		},
		{
			name: "severity", required: true, doc: "how bad it is", schema: enum(event.Severities()...),
			read: word(event.Severities(), func(r *Rule) *string { return &r.Severity }),
		},
		{
			name: "severity_when", doc: "higher severities and the value from which they hold, as in critical: \"> 100\"",
			schema: closedMap(event.Severities(), comparisonSchema()), read: readSeverityWhen,
		},
		{
			name: "owner", doc: "who looks after the rule", schema: textSchema(),
			read: text("who looks after the rule", func(r *Rule) *string { return &r.Owner }),
		},
		{
			name: "status", doc: "shadow: evaluated and stored, not notified; disabled: checked only; default enabled", schema: enum(statuses()...),
			read: word(statuses(), func(r *Rule) *string { return &r.Status }),
		},
		{
			name: "mode", doc: "which evaluator runs it; default stream", schema: enum(modes()...),
			read: word(modes(), func(r *Rule) *string { return &r.Mode }),
		},
		{name: "where", doc: "which events count, in KQL; default all", schema: kqlSchema(), read: func(d *decoder, n *yaml.Node, r *Rule) {
			if x, source, ok := d.condition(n); ok {
				r.Where, r.WhereText = x, source
			}
		}},
		{name: "group_by", doc: "fields whose values make the key; default one group for all", schema: listSchema(textSchema()), read: readGroupBy},
		{name: "detect", required: true, doc: "what is looked for: exactly one type", schema: detectSchema(), read: readDetect},
		{name: "time", doc: "how event time is taken", schema: objectSchema(timeKeys()), read: part(timeKeys, func(r *Rule) *Time { return &r.Time })},
		{name: "when", doc: "the hours in which it counts; default always", schema: objectSchema(whenKeys()), read: readWhen},
		{
			name: "for", doc: "the condition must hold this long first; default 0s", schema: durationSchema(),
			read: duration(func(r *Rule) *time.Duration { return &r.For }),
		},
		{name: "resolve", doc: "when an alert ends", schema: objectSchema(resolveKeys()), read: part(resolveKeys, func(r *Rule) *Resolve { return &r.Resolve })},
		{name: "limits", doc: "bounds of the rule's state", schema: objectSchema(limitsKeys()), read: part(limitsKeys, func(r *Rule) *Limits { return &r.Limits })},
		{name: "labels", doc: "free names and values on the rule's alerts, for routing", schema: schema{"type": "object", "propertyNames": schema{"pattern": labelForm.String()}, "additionalProperties": scalarSchema()}, read: readLabels},
		{name: "annotations", doc: "texts for people, Go text/template; summary and runbook are the usual ones", schema: schema{"type": "object", "additionalProperties": textSchema()}, read: readAnnotations},
		{name: "evidence", doc: "what an alert carries along", schema: objectSchema(evidenceKeys()), read: part(evidenceKeys, func(r *Rule) *Evidence { return &r.Evidence })},
		{name: "tests", doc: "tests of the rule: events and the alerts expected of them", schema: listSchema(objectSchema(testKeys())), read: readTests},
	}
}

func statuses() []string { return []string{StatusEnabled, StatusShadow, StatusDisabled} }

func modes() []string { return []string{ModeStream, ModeQuery, ModeBoth} }

func timeKeys() []key[Time] {
	return []key[Time]{
		{
			name: "lateness", doc: "disorder inside one node's log that is waited for; default 2s", schema: durationSchema(),
			read: duration(func(t *Time) *time.Duration { return &t.Lateness }),
		},
		{name: "idle", doc: "silence after which a node no longer holds the others up; default 30s", schema: durationSchema(), read: func(d *decoder, n *yaml.Node, t *Time) {
			if v, ok := d.positive(n); ok {
				t.Idle = v
			}
		}},
	}
}

func resolveKeys() []key[Resolve] {
	return []key[Resolve]{{
		name: "after", doc: "event time without the condition until the alert is resolved; default 0s",
		schema: durationSchema(), read: duration(func(r *Resolve) *time.Duration { return &r.After }),
	}}
}

func limitsKeys() []key[Limits] {
	return []key[Limits]{{
		name: "keys", doc: "keys with exact state; default 200000", schema: integerSchema(1, maxKeys),
		read: integer(1, maxKeys, func(l *Limits) *int { return &l.Keys }),
	}}
}

// maxKeys is more than the memory of one machine holds; above it stands a slip of the pen.
const maxKeys = 100_000_000

func evidenceKeys() []key[Evidence] {
	return []key[Evidence]{
		{name: "keep", doc: "ids of events kept; default 5", schema: integerSchema(0, 100), read: integer(0, 100, func(e *Evidence) *int { return &e.Keep })},
		{name: "top", doc: "fields whose most frequent values are told, and how many of them", schema: schema{"type": "object", "additionalProperties": integerSchema(1, 100)}, read: readTop},
	}
}

func readID(d *decoder, n *yaml.Node, r *Rule) {
	id, ok := d.text(n, "an id")
	if !ok {
		return
	}
	if !idForm.MatchString(id) {
		d.fail(n, "found %q, expected an id of at most 128 letters, digits, dots, underscores and hyphens that begins with a letter or digit", id)
		return
	}
	r.ID, d.ruleID = id, id
}

func readSeverityWhen(d *decoder, n *yaml.Node, r *Rule) {
	d.entries(n, func(k, v *yaml.Node) {
		name, ok := d.oneOf(k, event.Severities())
		d.within(k.Value, v, func() {
			if is, fits := d.comparison(yamlnode.Resolve(v)); ok && fits {
				r.SeverityWhen = append(r.SeverityWhen, Escalation{name, is})
			}
		})
	})
}

func readGroupBy(d *decoder, n *yaml.Node, r *Rule) {
	d.list(n, "fields, as in [client.ip]", func(_ int, n *yaml.Node) {
		f, ok := d.field(n)
		switch {
		case !ok:
		case f.Type == event.GeoPoint || f.Type == event.Flattened:
			d.fail(n, "%s is of type %s, which makes no key", f.Name, f.Type)
		case slices.ContainsFunc(r.GroupBy, func(have filter.Field) bool { return have.Name == f.Name }):
			d.fail(n, "%s is given twice", f.Name)
		default:
			r.GroupBy = append(r.GroupBy, f)
		}
	})
}

func readLabels(d *decoder, n *yaml.Node, r *Rule) {
	r.Labels = map[string]string{}
	d.entries(n, func(k, v *yaml.Node) {
		if !labelForm.MatchString(k.Value) {
			d.fail(k, "found %q as a label, expected at most 64 letters, digits, underscores and hyphens, beginning with a letter or underscore", k.Value)
			return
		}
		if value, ok := d.text(yamlnode.Resolve(v), "a text"); ok {
			r.Labels[k.Value] = value
		}
	})
}

func readAnnotations(d *decoder, n *yaml.Node, r *Rule) {
	found := map[string]Annotation{}
	d.entries(n, func(k, v *yaml.Node) {
		d.within(k.Value, yamlnode.Resolve(v), func() {
			if _, ok := d.text(yamlnode.Resolve(v), "a text"); ok {
				found[k.Value] = d.annotation(k.Value, yamlnode.Resolve(v))
			}
		})
	})
	for _, name := range slices.Sorted(maps.Keys(found)) {
		r.Annotations = append(r.Annotations, found[name])
	}
}

func readTop(d *decoder, n *yaml.Node, e *Evidence) {
	d.entries(n, func(k, v *yaml.Node) {
		f, known := d.field(k)
		count, ok := d.integer(yamlnode.Resolve(v), 1, 100)
		if known && ok {
			e.Top = append(e.Top, Top{f, count})
		}
	})
}

// Readers of keys that set one place of the value.

func text[T any](what string, at func(*T) *string) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) {
		if v, ok := d.text(n, what); ok {
			*at(into) = v
		}
	}
}

func word[T any](allowed []string, at func(*T) *string) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) {
		if v, ok := d.oneOf(n, allowed); ok {
			*at(into) = v
		}
	}
}

func duration[T any](at func(*T) *time.Duration) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) {
		if v, ok := d.duration(n); ok {
			*at(into) = v
		}
	}
}

func integer[T any](least, most int, at func(*T) *int) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) {
		if v, ok := d.integer(n, least, most); ok {
			*at(into) = v
		}
	}
}

func part[T, P any](keys func() []key[P], at func(*T) *P) func(*decoder, *yaml.Node, *T) {
	return func(d *decoder, n *yaml.Node, into *T) { object(d, n, keys(), at(into)) }
}

func joinQuoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }
