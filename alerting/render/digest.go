package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// Told is one of the notifications of a digest.
type Told struct {
	Kind  channel.Kind
	Alert *event.Alert
	Note  string // what is to be said of it beside: that it flaps
}

// group is what a digest says in one line: a rule's notifications of one kind and severity.
type group struct {
	kind     channel.Kind
	severity string
	rule     string
	keys     []string
	named    int // of the keys, so many are named
}

// Digest puts several notifications into one message whose body has at most limit bytes, of SMS and voice characters: a
// line for each rule, kind and severity, the gravest first, with its number and as many keys by name as there is room for.
// The others are counted, "…+N"; lines for which there is no room are counted together. So every notification is named or
// counted.
func (r *Renderer) Digest(style Style, lang string, told []Told, limit int) (channel.Message, error) {
	gs := groups(told, cleaner(style))
	m, err := r.digest(&digest{style: style, lang: lang, groups: gs, title: titleOf(lang, len(told), gs)}, told, limit)
	if err != nil || style != Email {
		return m, err
	}
	m.HTML, err = r.groupPage(lang, "", told, gs, m)
	return m, err
}

func (r *Renderer) digest(d *digest, told []Told, limit int) (channel.Message, error) {
	if _, ok := r.packs[d.lang][d.style]; !ok {
		return channel.Message{}, fmt.Errorf("no templates for language %q and style %q", d.lang, d.style)
	}
	m := channel.Message{Title: d.title, Links: append(r.digestLinks(d.lang, told), d.more...)}
	if tail := d.tail(m.Links, limit/2); tail != "" {
		m.Body = d.body(limit-d.size(tail)-1) + "\n" + tail
	} else {
		m.Body = d.body(limit)
	}
	for _, g := range d.groups[:min(len(d.groups), 6)] {
		m.Fields = append(m.Fields, channel.Field{ID: "group", Name: word(d.lang, string(g.kind)), Text: fmt.Sprintf("%s ×%d", g.rule, len(g.keys))})
	}
	if d.short() {
		m.Fields = append(m.Fields, d.parameters(told)...)
	}
	return m, nil
}

// parameters are what texts that a provider approved beforehand show of several alerts.
func (d *digest) parameters(told []Told) []channel.Field {
	g := &d.groups[0] // the gravest
	rule := g.rule
	if len(d.groups) > 1 {
		rule = counted(d.lang, told)
	} else if len(g.keys) > 1 {
		rule += fmt.Sprintf(" ×%d", len(g.keys))
	}
	var keys []string
	for _, g := range d.groups {
		keys = append(keys, g.keys...)
	}
	return []channel.Field{
		{ID: "state", Name: word(d.lang, "state"), Text: word(d.lang, string(g.kind))},
		{ID: "severity", Name: word(d.lang, "severity"), Text: word(d.lang, g.severity)},
		{ID: "rule", Name: word(d.lang, "rule"), Text: rule},
		{ID: "key", Name: word(d.lang, "key"), Text: strings.Join(keys, "; ")},
	}
}

// digestLinks leads to the events of all alerts at once.
func (r *Renderer) digestLinks(lang string, told []Told) []channel.Link {
	if r.links.Kibana == "" || len(told) == 0 {
		return nil
	}
	from, to := span(told[0].Alert)
	for _, t := range told[1:] {
		f, u := span(t.Alert)
		if f.Before(from) {
			from = f
		}
		if u.After(to) {
			to = u
		}
	}
	return []channel.Link{{Name: word(lang, "events"), URL: r.links.discover(from, to, "")}}
}

func groups(told []Told, clean func(string) string) []group {
	at := map[[3]string]int{}
	var out []group
	for _, t := range told {
		a := t.Alert
		id := [3]string{string(t.Kind), a.Severity, a.RuleID}
		i, ok := at[id]
		if !ok {
			i = len(out)
			at[id] = i
			out = append(out, group{kind: t.Kind, severity: a.Severity, rule: clean(cmp.Or(a.RuleName, a.RuleID))})
		}
		key := clean(a.KeyString())
		if t.Note != "" {
			key += " (" + clean(t.Note) + ")"
		}
		out[i].keys = append(out[i].keys, key)
	}
	slices.SortStableFunc(out, func(a, b group) int { return cmp.Or(b.weight()-a.weight(), len(b.keys)-len(a.keys)) })
	return out
}

func (g *group) weight() int {
	if g.kind == channel.Resolved {
		return -1
	}
	return slices.Index(event.Severities(), g.severity)
}

func titleOf(lang string, n int, gs []group) string {
	if lang == "zh" {
		return fmt.Sprintf("[汇总] %d 条告警：%s", n, tally(lang, gs))
	}
	return fmt.Sprintf("[DIGEST] %d notifications: %s", n, tally(lang, gs))
}

// tally says how many there are of each severity, and how many are over.
func tally(lang string, gs []group) string {
	grave := map[string]int{}
	for _, g := range gs {
		if g.kind == channel.Resolved {
			grave[string(channel.Resolved)] += len(g.keys)
		} else {
			grave[g.severity] += len(g.keys)
		}
	}
	var parts []string
	for _, s := range []string{"critical", "high", "warn", "info", string(channel.Resolved)} {
		if grave[s] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", word(lang, s), grave[s]))
		}
	}
	if lang == "zh" {
		return strings.Join(parts, "，")
	}
	return strings.Join(parts, ", ")
}

// digest is the body while it is fitted.
type digest struct {
	style  Style
	lang   string
	title  string
	groups []group
	more   []channel.Link
}

// tail gives the line of links, as many as there is room for; a mail has them in its HTML, a text none.
func (d *digest) tail(links []channel.Link, limit int) string {
	if d.style == Email || d.short() {
		return ""
	}
	tail := d.style.links(links)
	for tail != "" && d.size(tail)+1 > limit {
		links = links[:len(links)-1]
		tail = d.style.links(links)
	}
	return tail
}

// short says whether the style is one line for a telephone, measured in characters.
func (d *digest) short() bool { return d.style == SMS || d.style == Voice }

func (d *digest) size(s string) int {
	if d.short() {
		return utf8.RuneCountInString(s)
	}
	return len(s)
}

// body gives the text: heading, one line a group as far as they fit, and keys as far as there is room.
func (d *digest) body(limit int) string {
	head := d.head()
	size := d.size(head)
	shown := 0
	for ; shown < len(d.groups); shown++ {
		more := d.size(d.rest(shown + 1))
		if n := d.size(d.line(&d.groups[shown])) + 1; size+n+more <= limit {
			size += n
			continue
		}
		break
	}
	rest := d.rest(shown)
	size += d.size(rest)
	// Keys by turns, so that a rule with thousands does not leave the others without any.
	for progress := true; progress; {
		progress = false
		for i := range d.groups[:shown] {
			g := &d.groups[i]
			if g.named == len(g.keys) {
				continue
			}
			before := d.size(d.line(g))
			g.named++
			if n := d.size(d.line(g)) - before; size+n <= limit {
				size += n
				progress = true
			} else {
				g.named--
			}
		}
	}
	var b strings.Builder
	b.WriteString(head)
	for i := range d.groups[:shown] {
		b.WriteString("\n" + d.line(&d.groups[i]))
	}
	b.WriteString(rest)
	if d.short() {
		return channel.CutRunes(b.String(), limit)
	}
	return channel.CutBytes(b.String(), limit)
}

func (d *digest) head() string {
	switch d.style {
	case WeCom:
		return "**" + d.title + "**"
	case SMS, Voice:
		return d.title
	}
	return d.style.heading(d.title)
}

// line gives a group: "[high][FIRING] Rule ×12: key, key …+10".
func (d *digest) line(g *group) string {
	what := fmt.Sprintf("[%s][%s] %s", word(d.lang, string(g.kind)), word(d.lang, g.severity), g.rule)
	text := fmt.Sprintf("×%d", len(g.keys))
	if g.named > 0 {
		text += ": " + strings.Join(g.keys[:g.named], "; ")
	}
	if left := len(g.keys) - g.named; left > 0 && g.named > 0 {
		text += fmt.Sprintf(" …+%d", left)
	}
	return d.style.item(what, text)
}

// rest counts the groups from one on.
func (d *digest) rest(from int) string {
	if from >= len(d.groups) {
		return ""
	}
	n := 0
	for _, g := range d.groups[from:] {
		n += len(g.keys)
	}
	if d.lang == "zh" {
		return fmt.Sprintf("\n…+%d（另有 %d 条规则）", n, len(d.groups)-from)
	}
	return fmt.Sprintf("\n…+%d (of %d more rules)", n, len(d.groups)-from)
}
