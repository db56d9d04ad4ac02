package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/detector/rule"
	"imwatch/event"
)

// Diff is how the alerts of the rules differ from those of another version of them over the same events. Alerts are
// the same when they have the same id; of one rule and key also when their spells overlap: such an alert begins at
// another instant, but tells people of the same thing. Texts (title, limit as printed, annotations) are not compared.
type Diff struct {
	Rules []RuleDiff // in order of id; those without a difference too
	Lines []DiffLine // in order of begin, rule and key
}

// RuleDiff counts the differences of one rule.
type RuleDiff struct {
	RuleID                  string
	Added, Removed, Changed int
	New, Gone               bool // only one of the versions has the rule
}

// DiffLine is one alert that only one version raises, or that differs.
type DiffLine struct {
	Sign   string // "+", "−" or "~"
	RuleID string
	Key    string
	From   time.Time
	To     time.Time // zero: not resolved
	Text   string    // the rest: value and severity, or what changed
}

// String prints the line.
func (l DiffLine) String() string {
	to := "open"
	if !l.To.IsZero() {
		to = event.FormatTime(l.To)
	}
	return fmt.Sprintf("%s %s %s %s..%s %s", l.Sign, l.RuleID, l.Key, event.FormatTime(l.From), to, l.Text)
}

// Counts gives how many alerts are added, removed and changed in all.
func (d *Diff) Counts() (added, removed, changed int) {
	for _, r := range d.Rules {
		added, removed, changed = added+r.Added, removed+r.Removed, changed+r.Changed
	}
	return added, removed, changed
}

// episode is one alert with all of its state changes.
type episode struct {
	id       string
	rule     string
	key      string
	from     time.Time
	fired    time.Time
	to       time.Time // zero: not resolved
	value    float64   // when it fired
	updates  []float64
	severity string // the highest
	status   string
	labels   string
}

func episodes(alerts []*event.Alert) map[string]*episode {
	all := map[string]*episode{}
	for _, a := range alerts {
		e := all[a.ID]
		if e == nil {
			e = &episode{id: a.ID, rule: a.RuleID, key: a.KeyString(), from: a.From, status: a.Status}
			for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
				e.labels += fmt.Sprintf("%s=%q ", name, a.Labels[name])
			}
			all[a.ID] = e
		}
		switch a.State {
		case event.StateFiring:
			e.fired, e.value = a.Time, a.Value
		case event.StateUpdated:
			e.updates = append(e.updates, a.Value)
		case event.StateResolved:
			e.to = a.Time
		}
		if slices.Index(event.Severities(), a.Severity) > slices.Index(event.Severities(), e.severity) {
			e.severity = a.Severity
		}
	}
	return all
}

// diff compares alerts with those of the version before.
func diff(rules, before []*rule.Rule, alerts, had []*event.Alert) *Diff {
	now, then := episodes(alerts), episodes(had)
	d := &Diff{}
	counts := ruleCounts(rules, before)
	count := func(id string) *RuleDiff {
		if counts[id] == nil {
			counts[id] = &RuleDiff{RuleID: id}
		}
		return counts[id]
	}
	changed := func(e, was *episode) {
		if text := changes(e, was); text != "" {
			count(e.rule).Changed++
			d.Lines = append(d.Lines, DiffLine{"~", e.rule, e.key, e.from, e.to, text})
		}
	}
	for id, e := range now {
		if was := then[id]; was != nil {
			changed(e, was)
			delete(now, id)
			delete(then, id)
		}
	}
	for _, e := range sorted(now) {
		if was := overlapping(e, then); was != nil {
			changed(e, was)
			delete(then, was.id)
			continue
		}
		count(e.rule).Added++
		d.Lines = append(d.Lines, DiffLine{"+", e.rule, e.key, e.from, e.to, e.text()})
	}
	for _, was := range then {
		count(was.rule).Removed++
		d.Lines = append(d.Lines, DiffLine{"−", was.rule, was.key, was.from, was.to, was.text()})
	}
	slices.SortFunc(d.Lines, func(a, b DiffLine) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Sign, b.Sign))
	})
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		d.Rules = append(d.Rules, *counts[id])
	}
	return d
}

func ruleCounts(rules, before []*rule.Rule) map[string]*RuleDiff {
	counts := map[string]*RuleDiff{}
	for _, r := range running(rules) {
		counts[r.ID] = &RuleDiff{RuleID: r.ID, New: true}
	}
	for _, r := range running(before) {
		if c := counts[r.ID]; c != nil {
			c.New = false
		} else {
			counts[r.ID] = &RuleDiff{RuleID: r.ID, Gone: true}
		}
	}
	return counts
}

func running(rules []*rule.Rule) []*rule.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool { return r.Status == rule.StatusDisabled })
}

func sorted(all map[string]*episode) []*episode {
	return slices.SortedFunc(maps.Values(all), func(a, b *episode) int {
		return cmp.Or(a.from.Compare(b.from), strings.Compare(a.rule, b.rule), strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
	})
}

// overlapping gives the earliest alert of the same rule and key whose spell has an instant in common.
func overlapping(e *episode, all map[string]*episode) (first *episode) {
	for _, o := range all {
		apart := !o.to.IsZero() && !o.to.After(e.from) || !e.to.IsZero() && !e.to.After(o.from)
		if o.rule == e.rule && o.key == e.key && !apart && (first == nil || o.from.Before(first.from)) {
			first = o
		}
	}
	return first
}

func (e *episode) text() string {
	return fmt.Sprintf("value %s, severity %s", plain(e.value), e.severity)
}

// changes says what differs, "" if nothing does.
func changes(e, was *episode) string {
	var texts []string
	add := func(what, now, then string) {
		if now != then {
			texts = append(texts, fmt.Sprintf("%s %s (was %s)", what, now, then))
		}
	}
	instant := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return event.FormatTime(t)
	}
	add("begins", instant(e.from), instant(was.from))
	add("fires", instant(e.fired), instant(was.fired))
	add("ends", instant(e.to), instant(was.to))
	add("value", plain(e.value), plain(was.value))
	add("severity", e.severity, was.severity)
	add("status", e.status, was.status)
	if e.labels != was.labels {
		add("labels", strings.TrimSpace(e.labels), strings.TrimSpace(was.labels))
	}
	if !slices.Equal(e.updates, was.updates) {
		texts = append(texts, fmt.Sprintf("updates %d (was %d)", len(e.updates), len(was.updates)))
	}
	return strings.Join(texts, ", ")
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// write adds the lines of the diff to a summary.
func (d *Diff) write(p *printer, against string) {
	for _, l := range d.Lines {
		p.line("%s", l)
	}
	for _, r := range d.Rules {
		note := ""
		switch {
		case r.New:
			note = " (new rule)"
		case r.Gone:
			note = " (rule gone)"
		}
		if note != "" || r.Added+r.Removed+r.Changed > 0 {
			p.line("%s: +%d −%d alerts, %d changed%s", r.RuleID, r.Added, r.Removed, r.Changed, note)
		}
	}
	added, removed, changed := d.Counts()
	p.line("against %s: +%d −%d alerts, %d changed", against, added, removed, changed)
}
