package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// Group puts the notifications of a group into one message whose body has at most limit bytes, of SMS and voice
// characters, as Digest does. name says to people what they have in common, more are links by which they can act on all
// of it. A mail has a table of all of them as HTML.
func (r *Renderer) Group(style Style, lang, name string, told []Told, limit int, more ...channel.Link) (channel.Message, error) {
	clean := cleaner(style)
	gs := groups(told, clean)
	d := &digest{style: style, lang: lang, groups: gs, title: groupTitle(style, lang, clean(name), told, gs), more: named(lang, more)}
	m, err := r.digest(d, told, limit)
	if err != nil || style != Email {
		return m, err
	}
	m.HTML, err = r.groupPage(lang, name, told, gs, m)
	return m, err
}

// groupTitle says how grave it is, how many there are, and what they have in common.
func groupTitle(style Style, lang, name string, told []Told, gs []group) string {
	n, sums := counted(lang, told), tally(lang, gs)
	colon, state := ": ", channel.Firing
	if lang == "zh" {
		colon = "："
	}
	if gs[0].kind == channel.Resolved {
		state = channel.Resolved
	}
	if style == SMS || style == Voice {
		return n + colon + sums
	}
	title := fmt.Sprintf("[%s][%s] %s%s%s", strings.ToUpper(word(lang, string(state))), word(lang, gs[0].severity), n, colon, sums)
	if name != "" {
		title += " — " + name
	}
	return title
}

// counted says how many alerts there are: an alert that fired and is over is one.
func counted(lang string, told []Told) string {
	ids := map[string]struct{}{}
	for _, t := range told {
		ids[t.Alert.ID] = struct{}{}
	}
	switch {
	case lang == "zh":
		return fmt.Sprintf("%d 条告警", len(ids))
	case len(ids) == 1:
		return "1 alert"
	}
	return fmt.Sprintf("%d alerts", len(ids))
}

// maxTable bounds the rows of a mail's table: a mail of thousands is read by nobody, and refused by some.
const maxTable = 200

// groupView is what group.html sees.
type groupView struct {
	Title    string
	Name     string
	Kind     channel.Kind // resolved when all of them are over
	Severity string       // the gravest
	Rows     []groupRow
	More     int // for which there is no row
	Links    []channel.Link
}

type groupRow struct {
	Kind     channel.Kind
	Severity string
	Rule     string
	Key      string
	Value    float64
	Limit    string
	From     time.Time
	To       time.Time // zero unless over
	Note     string
	Links    []channel.Link
}

func (r *Renderer) groupPage(lang, name string, told []Told, gs []group, m channel.Message) (string, error) {
	v := groupView{Title: m.Title, Name: line(name), Kind: channel.Firing, Severity: gs[0].severity, Links: m.Links}
	if gs[0].kind == channel.Resolved {
		v.Kind = channel.Resolved
	}
	sorted := slices.Clone(told)
	slices.SortStableFunc(sorted, func(a, b Told) int { return graveness(b) - graveness(a) })
	for _, t := range sorted[:min(len(sorted), maxTable)] {
		a := t.Alert
		v.Rows = append(v.Rows, groupRow{
			t.Kind, line(a.Severity), line(cmp.Or(a.RuleName, a.RuleID)), line(a.KeyString()), a.Value, line(a.Limit), a.From, a.To, line(t.Note), r.links.of(lang, a),
		})
	}
	v.More = len(sorted) - len(v.Rows)
	page, err := run(r.packs[lang][Email].html, "group.html", v)
	if err != nil {
		return "", fmt.Errorf("rendering a group in %s: %w", lang, err)
	}
	return page, nil
}

func graveness(t Told) int {
	if t.Kind == channel.Resolved {
		return -1
	}
	return slices.Index(event.Severities(), t.Alert.Severity)
}

// tryGroup runs the template of groups on samples.
func (r *Renderer) tryGroup(s Style, lang string) error {
	var told []Told
	for _, a := range samples() {
		told = append(told, Told{channel.Kind(a.State), a, "note"})
	}
	_, err := r.Group(s, lang, "rule=rule", told, 1000)
	return err
}

// FlappingNote is the annotation under which Message is told how an alert flaps: see Flapping.
const FlappingNote = "flapping"

// Flapping says in a language that something fired so often that further ones are held back.
func Flapping(lang string, fired int, within, calm time.Duration) string {
	if lang == "zh" {
		return fmt.Sprintf("抖动：%s 内触发 %d 次，平静 %s 之前不再逐次通知", duration(within), fired, duration(calm))
	}
	return fmt.Sprintf("flapping: fired %d times within %s, further ones are not told until it has been calm for %s", fired, duration(within), duration(calm))
}
