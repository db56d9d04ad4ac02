package oncall

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of an iCalendar file.
const (
	maxFile    = 4 << 20
	maxEvents  = 5_000
	maxLength  = 366 * day // of one event
	firstYear  = 1970
	lastYear   = 2200
	maxExcepts = 10_000
)

// happening is one VEVENT: what happens at some times of a zone's clock.
type happening struct {
	line    int
	uid     string
	names   []string // attendees, by name and address, then the summary
	zone    *time.Location
	start   time.Time // on the wall, and so is end
	end     time.Time
	rule    *rule       // nil: it happens once
	also    []time.Time // further starts, on the wall
	not     map[int64]bool
	instead time.Time // RECURRENCE-ID: the instant of the start that this takes the place of; zero: none
	gone    bool      // STATUS:CANCELLED
}

// parseCalendar reads the events of an iCalendar file. Times without a zone are those of zone. Warnings tell what is left
// out and why.
func parseCalendar(text string, zone *time.Location) (list []*happening, warnings []string, err error) {
	if len(text) > maxFile {
		return nil, nil, fmt.Errorf("found %d bytes, expected at most %d", len(text), maxFile)
	}
	props, err := properties(text)
	if err != nil {
		return nil, nil, err
	}
	if len(props) == 0 || props[0].name != "BEGIN" || !strings.EqualFold(props[0].value, "VCALENDAR") {
		return nil, nil, fmt.Errorf("line 1: expected BEGIN:VCALENDAR")
	}
	var open []string // components
	var event []property
	for _, p := range props {
		switch name := strings.ToUpper(strings.TrimSpace(p.value)); p.name {
		case "BEGIN":
			if open = append(open, name); name == "VEVENT" && len(open) == 2 {
				event = []property{p}
			}
			continue
		case "END":
			if len(open) == 0 || open[len(open)-1] != name {
				return nil, nil, fmt.Errorf("line %d: found END:%s, expected the end of %s", p.line, clip(name), last(open))
			}
			if open = open[:len(open)-1]; name == "VEVENT" && len(open) == 1 {
				h, warning, err := readEvent(event, zone)
				switch {
				case err != nil:
					return nil, nil, err
				case warning != "":
					warnings = append(warnings, warning)
				default:
					list = append(list, h)
				}
				if len(list) > maxEvents {
					return nil, nil, fmt.Errorf("line %d: found more than %d events", p.line, maxEvents)
				}
			}
			continue
		}
		if len(open) == 2 && open[1] == "VEVENT" { // what stands in alarms is none of ours
			event = append(event, p)
		}
	}
	if len(open) > 0 {
		return nil, nil, fmt.Errorf("the file ends within %s: it is not whole", last(open))
	}
	return list, warnings, nil
}

func last(open []string) string {
	if len(open) == 0 {
		return "nothing"
	}
	return clip(open[len(open)-1])
}

// readEvent makes a happening of the lines of a VEVENT.
func readEvent(props []property, zone *time.Location) (h *happening, warning string, err error) {
	h = &happening{line: props[0].line, zone: zone, not: map[int64]bool{}}
	r := eventReader{h: h}
	for i := range props {
		if err := r.take(&props[i]); err != nil {
			return nil, "", props[i].fault(err)
		}
	}
	if r.start == nil {
		return nil, "", fmt.Errorf("line %d: the event has no DTSTART", h.line)
	}
	if err := r.finish(); err != nil {
		return nil, "", err
	}
	if r.following {
		return nil, fmt.Sprintf("line %d: a change of this and all following events (RANGE=THISANDFUTURE) is left out: it is not understood", h.line), nil
	}
	if !h.end.After(h.start) && !h.gone {
		return nil, fmt.Sprintf("line %d: the event takes no time and is left out", h.line), nil
	}
	return h, "", nil
}

// eventReader collects what has to be known before other lines can be understood: the zone is that of DTSTART.
type eventReader struct {
	h          *happening
	start, end *property
	length     *property
	rule       *property
	not, also  []*property
	instead    *property
	attendees  []string
	summary    string
	following  bool
}

func (r *eventReader) take(p *property) error {
	switch p.name {
	case "UID":
		r.h.uid = p.value
	case "DTSTART":
		r.start = p
	case "DTEND":
		r.end = p
	case "DURATION":
		r.length = p
	case "RRULE":
		if r.rule != nil {
			return fmt.Errorf("there is a second one")
		}
		r.rule = p
	case "EXDATE":
		r.not = append(r.not, p)
	case "RDATE":
		r.also = append(r.also, p)
	case "EXRULE":
		return fmt.Errorf("it is not understood: list the dates in EXDATE")
	case "RECURRENCE-ID":
		r.instead, r.following = p, strings.EqualFold(p.param("RANGE"), "THISANDFUTURE")
	case "STATUS":
		r.h.gone = strings.EqualFold(strings.TrimSpace(p.value), "CANCELLED")
	case "ATTENDEE":
		if strings.EqualFold(p.param("PARTSTAT"), "DECLINED") {
			return nil
		}
		address := strings.TrimSpace(p.value)
		if len(address) > len("mailto:") && strings.EqualFold(address[:len("mailto:")], "mailto:") {
			address = address[len("mailto:"):]
		}
		r.attendees = append(r.attendees, unescape(p.param("CN")), address)
	case "SUMMARY":
		r.summary = unescape(p.value)
	}
	return nil
}

// finish puts together what was collected.
func (r *eventReader) finish() error {
	h := r.h
	for _, name := range append(r.attendees, r.summary) {
		if name = strings.TrimSpace(name); name != "" {
			h.names = append(h.names, name)
		}
	}
	start, zone, whole, err := moment(r.start, r.start.value, h.zone)
	if err != nil {
		return r.start.fault(err)
	}
	h.start, h.zone = start, zone
	switch {
	case r.end != nil:
		end, endZone, _, err := moment(r.end, r.end.value, h.zone)
		if err != nil {
			return r.end.fault(err)
		}
		h.end = wallOf(reach(end, endZone), h.zone)
		if sameZone(endZone, h.zone) {
			h.end = end
		}
	case r.length != nil:
		d, err := length(r.length.value)
		if err != nil {
			return r.length.fault(err)
		}
		h.end = h.start.Add(d)
	case whole:
		h.end = h.start.Add(day)
	default:
		h.end = h.start
	}
	if h.end.Sub(h.start) > maxLength {
		return fmt.Errorf("line %d: the event takes %v, expected at most %v", h.line, h.end.Sub(h.start), maxLength)
	}
	return r.recurrence()
}

func sameZone(a, b *time.Location) bool { return a.String() == b.String() }

func (r *eventReader) recurrence() (err error) {
	h := r.h
	for _, p := range r.not {
		if err := r.dates(p, func(w time.Time) { h.not[w.Unix()] = true }); err != nil {
			return p.fault(err)
		}
	}
	for _, p := range r.also {
		if err := r.dates(p, func(w time.Time) { h.also = append(h.also, w) }); err != nil {
			return p.fault(err)
		}
	}
	if len(h.not)+len(h.also) > maxExcepts {
		return fmt.Errorf("line %d: found %d dates in EXDATE and RDATE, expected at most %d", h.line, len(h.not)+len(h.also), maxExcepts)
	}
	if r.instead != nil {
		w, zone, _, err := moment(r.instead, r.instead.value, h.zone)
		if err != nil {
			return r.instead.fault(err)
		}
		h.instead = reach(w, zone)
		return nil // what takes the place of one does not come again
	}
	if r.rule == nil {
		return nil
	}
	if h.rule, err = parseRule(r.rule.value, h.start, h.zone); err != nil {
		return r.rule.fault(err)
	}
	return nil
}

// dates reads a list of starts, on the event's wall. Of periods the start counts.
func (r *eventReader) dates(p *property, take func(time.Time)) error {
	for text := range strings.SplitSeq(p.value, ",") {
		text, _, _ = strings.Cut(text, "/")
		w, zone, whole, err := moment(p, text, r.h.zone)
		if err != nil {
			return err
		}
		if whole { // a day names what begins on it
			w = w.Add(r.h.start.Sub(r.h.start.Truncate(day)))
		} else if !sameZone(zone, r.h.zone) {
			w = wallOf(reach(w, zone), r.h.zone)
		}
		take(w)
	}
	return nil
}

// moment reads a date or a time: on which wall, and whether it is a whole day.
func moment(p *property, text string, floating *time.Location) (w time.Time, zone *time.Location, whole bool, err error) {
	text = strings.TrimSpace(text)
	zone = floating
	switch {
	case len(text) == len("20060102"):
		w, err = time.Parse("20060102", text)
		whole = true
	case strings.HasSuffix(text, "Z"):
		zone = time.UTC
		w, err = time.Parse("20060102T150405Z", text)
	default:
		w, err = time.Parse("20060102T150405", text)
	}
	if err != nil || w.Year() < firstYear || w.Year() > lastYear {
		return w, nil, false, fmt.Errorf("found %q, expected a time such as 20261121T090000, 20261121T090000Z or 20261121, from %d to %d", clip(text), firstYear, lastYear)
	}
	if id := p.param("TZID"); id != "" && !whole && zone == floating {
		if zone, err = zoneOf(id); err != nil {
			return w, nil, false, err
		}
	}
	return w, zone, whole, nil
}

// length reads a duration: P1W, P1DT12H, PT8H30M. A day is one of the clock.
func length(s string) (time.Duration, error) {
	text := strings.ToUpper(strings.TrimPrefix(strings.TrimSpace(s), "+"))
	bad := fmt.Errorf("found %q, expected a duration such as P7D or PT12H", clip(s))
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || rest == "" {
		return 0, bad
	}
	var total time.Duration
	units := map[byte]time.Duration{'W': 7 * day, 'D': day}
	for rest != "" {
		if rest[0] == 'T' {
			units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
			rest = rest[1:]
		}
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil || i == len(rest) || units[rest[i]] == 0 {
			return 0, bad
		}
		if n > 10_000 || total > maxLength {
			return 0, fmt.Errorf("found %q, expected at most %v", clip(s), maxLength)
		}
		total += time.Duration(n) * units[rest[i]]
		rest = rest[i+1:]
	}
	return total, nil
}
