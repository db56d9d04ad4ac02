package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/detector/yamlnode"
	"imwatch/event"

	"go.yaml.in/yaml/v3"
)

// Fault is what is wrong with a calendar's file.
type Fault struct {
	Line, Column int // from 1
	Message      string
}

// Read reads a calendar's file. It gives no calendar if there is a fault, and all faults at once.
func Read(name string, src []byte) (*Calendar, []Fault) {
	r := &reader{c: &Calendar{
		Name: name, dates: map[date][]span{}, years: map[int]bool{}, zone: time.UTC,
	}, seen: map[date]int{}}
	var n yaml.Node
	if err := yaml.Unmarshal(src, &n); err != nil {
		return nil, []Fault{syntax(err)}
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) == 0 {
		return nil, []Fault{{1, 1, "found nothing, expected a mapping with the keys " + strings.Join(keys(), ", ")}}
	}
	r.file(yamlnode.Resolve(n.Content[0]))
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int { return (a.Line-b.Line)*1_000_000 + a.Column - b.Column })
		return nil, r.faults
	}
	return r.c, nil
}

func keys() []string { return []string{"title", "zone", "hours", "holidays", "workdays"} }

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

func syntax(err error) Fault {
	f := Fault{1, 1, "not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Line = max(f.Line, 1)
		f.Message = "not valid YAML: " + err.Error()[len(m[0]):]
	}
	return f
}

type reader struct {
	c      *Calendar
	faults []Fault
	seen   map[date]int // the line in which a day stands
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, Fault{max(n.Line, 1), max(n.Column, 1), fmt.Sprintf(format, args...)})
}

func (r *reader) file(n *yaml.Node) {
	var makeup []*yaml.Node
	given := map[string]bool{}
	r.mapping(n, keys(), func(key string, v *yaml.Node) {
		given[key] = true
		switch key {
		case "title":
			r.text(v, "a title")
		case "zone":
			r.zone(v)
		case "hours":
			r.hours(v)
		case "holidays":
			r.list(v, "holidays", func(n *yaml.Node) { r.special(n, true) })
		case "workdays":
			makeup = append(makeup, v)
		}
	})
	for _, key := range []string{"zone", "hours"} {
		if !given[key] && n.Kind == yaml.MappingNode {
			r.fail(n, "key %q is missing; required are zone, hours", key)
		}
	}
	for _, v := range makeup { // they have hours of the week, if none of their own
		r.list(v, "make-up working days", func(n *yaml.Node) { r.special(n, false) })
	}
}

func (r *reader) zone(n *yaml.Node) {
	name, ok := r.text(n, "an IANA zone, as Asia/Shanghai")
	if !ok {
		return
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // of the machine: it would mean something else on each
		hint := event.Nearest(name, []string{
			"UTC", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata", "Asia/Dubai",
			"Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Moscow", "America/New_York", "America/Chicago",
			"America/Los_Angeles", "America/Sao_Paulo", "Australia/Sydney",
		})
		if hint != "" {
			hint = fmt.Sprintf("; the nearest is %q", hint)
		}
		r.fail(n, "unknown zone %q, expected an IANA zone, as Asia/Shanghai%s", name, hint)
		return
	}
	r.c.zone = zone
}

func weekdays() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// hours reads the hours of the week: days, or from one to another, and the stretches that begin on them.
func (r *reader) hours(n *yaml.Node) {
	given := map[time.Weekday]int{}
	r.entries(n, func(k, v *yaml.Node) {
		days, ok := r.week(k)
		spans, fits := r.spans(v)
		if !ok || !fits {
			return
		}
		for _, w := range days {
			if given[w] > 0 {
				r.fail(k, "%s has hours already, in line %d", weekdays()[(w+6)%7], given[w])
				continue
			}
			given[w] = k.Line
			r.c.days[w] = spans
		}
	})
	for w := range r.c.days { // a stretch over midnight against the day after
		for _, sp := range r.c.days[w] {
			for _, next := range r.c.days[(w+1)%7] {
				if sp.to <= sp.from && next.from < sp.to {
					r.fail(n, "the hours of %s reach into those of %s", weekdays()[(w+6)%7], weekdays()[w])
				}
			}
		}
	}
}

func (r *reader) week(k *yaml.Node) (days []time.Weekday, ok bool) {
	known := append(weekdays(), "daily")
	if k.Value == "daily" {
		return []time.Weekday{0, 1, 2, 3, 4, 5, 6}, true
	}
	first, last, ranged := strings.Cut(k.Value, "-")
	if !ranged {
		last = first
	}
	from, to := slices.Index(weekdays(), first), slices.Index(weekdays(), last)
	if from < 0 || to < 0 {
		wrong := first
		if from >= 0 {
			wrong = last
		}
		r.fail(k, "found %q, expected a day, or from one to another as mon-fri%s; allowed are %s", k.Value, near(wrong, known), strings.Join(known, ", "))
		return nil, false
	}
	for i := from; ; i = (i + 1) % 7 {
		if days = append(days, time.Weekday((i+1)%7)); i == to {
			return days, true
		}
	}
}

// spans reads one stretch or a list of them.
func (r *reader) spans(n *yaml.Node) (all []span, ok bool) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	ok = true
	for _, item := range items {
		item = yamlnode.Resolve(item)
		sp, good := r.span(item)
		if !good {
			ok = false
			continue
		}
		for _, have := range all {
			if sp.from < have.end() && have.from < sp.end() {
				r.fail(item, "%s overlaps another of the same day", item.Value)
				ok = false
			}
		}
		all = append(all, sp)
	}
	return all, ok
}

// end gives the end in seconds from the midnight before the stretch.
func (s span) end() int {
	if s.to <= s.from {
		return s.to + day
	}
	return s.to
}

var clock = regexp.MustCompile(`^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$`)

func (r *reader) span(n *yaml.Node) (span, bool) {
	const want = "expected hours as 09:00-18:00, or 22:00-06:00 into the next day"
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "found %s, %s", describe(n), want)
		return span{}, false
	}
	m := clock.FindStringSubmatch(strings.ReplaceAll(n.Value, " ", ""))
	if m == nil {
		r.fail(n, "found %q, %s", n.Value, want)
		return span{}, false
	}
	var v [4]int
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1])
	}
	s := span{v[0]*3600 + v[1]*60, v[2]*3600 + v[3]*60}
	if v[1] > 59 || v[3] > 59 || s.from >= day || s.to > day || s.from == s.to {
		r.fail(n, "found %q, expected times from 00:00 to 24:00, of which the second is another", n.Value)
		return span{}, false
	}
	return s, true
}

func specialKeys(holiday bool) []string {
	if holiday {
		return []string{"date", "from", "to", "name"}
	}
	return []string{"date", "from", "to", "name", "hours"}
}

// special reads days that are not like their weekday: a date, or a mapping with date, or with from and to.
func (r *reader) special(n *yaml.Node, holiday bool) {
	var from, to date
	hours, whole := r.ordinary(), true
	if n.Kind == yaml.MappingNode {
		given := map[string]*yaml.Node{}
		r.mapping(n, specialKeys(holiday), func(key string, v *yaml.Node) {
			given[key] = v
			ok := true
			switch key {
			case "date":
				from, ok = r.date(v)
				to = from
			case "from":
				from, ok = r.date(v)
			case "to":
				to, ok = r.date(v)
			case "name":
				_, ok = r.text(v, "a name") // for people
			case "hours":
				hours, ok = r.spans(v)
			}
			whole = whole && ok
		})
		if (given["date"] == nil) == (given["from"] == nil) || (given["from"] == nil) != (given["to"] == nil) {
			r.fail(n, "expected either date, or from and to")
			return
		}
	} else if from, whole = r.date(n); whole {
		to = from
	}
	if !whole {
		return
	}
	if holiday {
		hours = nil
	}
	r.days(n, from, to, hours, holiday)
}

// maxDays bounds a range of days: above it stands a slip of the pen.
const maxDays = 366

func (r *reader) days(n *yaml.Node, from, to date, hours []span, holiday bool) {
	for i := 0; ; i++ {
		d := from.add(i)
		switch {
		case i > maxDays:
			r.fail(n, "found more than %d days, or an end before the beginning", maxDays)
			return
		case r.seen[d] > 0:
			r.fail(n, "%04d-%02d-%02d is given already, in line %d", d.year, d.month, d.day, r.seen[d])
		}
		r.seen[d] = n.Line
		r.c.dates[d] = hours
		if holiday {
			r.c.years[d.year] = true
		}
		if d == to {
			return
		}
	}
}

// ordinary gives the hours of the first day from Monday on that has any.
func (r *reader) ordinary() []span {
	for i := range 7 {
		if spans := r.c.days[(i+1)%7]; len(spans) > 0 {
			return spans
		}
	}
	return nil
}

func (r *reader) date(n *yaml.Node) (date, bool) {
	t, err := time.Parse("2006-01-02", n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || t.Year() < 1970 || t.Year() > 2200 {
		r.fail(n, "found %s, expected a day as 2026-02-15", describe(n))
		return date{}, false
	}
	return dateOf(t), true
}
