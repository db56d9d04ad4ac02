package explain

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	field := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("%s for %s at %s", r.Rule, r.alert.KeyString(), r.At)
	line("%s", r.Why)
	field("rule", "%s: %s, status %s", r.Type, r.Title, r.Status)
	field("value", "%s", strings.TrimSuffix(fmt.Sprintf("%s, limit %s, %s", number(r.Value), r.Limit, r.Missing), ", "))
	if r.Window != "" {
		field("window", "%s", r.Window)
	}
	if r.Since != "" {
		field("counted", "events since %s", r.Since)
	}
	if r.Next != "" {
		field("next", "the truth may change without an event at %s", r.Next)
	}
	field("spell", "%s", r.Spell.words())
	field("times", "for %s, resolve after %s, lateness %s, idle %s", r.Settings.For, r.Settings.Resolve, r.Settings.Lateness, r.Settings.Idle)
	if r.Settings.When != "" {
		field("when", "%s", r.Settings.When)
	}
	field("source", "%s", r.Source)
	section(&b, "state changes", len(r.History), r.LeftOut.History, func(i int) string {
		c := r.History[i]
		return fmt.Sprintf("%s %s value %s, severity %s, alert %s", c.Time, c.State, number(c.Value), c.Severity, c.ID)
	})
	section(&b, "events that the rule takes", len(r.Events), r.LeftOut.Events, func(i int) string { return r.Events[i].words() })
	section(&b, "events near that it does not", len(r.Near), r.LeftOut.Near, func(i int) string { return r.Near[i].words() })
	section(&b, "events that came late", len(r.Late), r.LeftOut.Late, func(i int) string { return r.Late[i].words() })
	for _, n := range r.Notes {
		line("note: %s", n)
	}
	for _, n := range r.Delivery {
		line("delivery: %s", n)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the explanation: %w", err)
	}
	return nil
}

func section(b *strings.Builder, title string, n, left int, text func(int) string) {
	if n == 0 && left == 0 {
		return
	}
	fmt.Fprintf(b, "%s (%d):\n", title, n)
	if left > 0 {
		fmt.Fprintf(b, "  %d older ones are not shown\n", left)
	}
	for i := range n {
		fmt.Fprintf(b, "  %s\n", text(i))
	}
}

func (s *Spell) words() string {
	if s == nil {
		return "none open"
	}
	text := s.Phase + " since " + s.Start
	if s.ID != "" {
		text += fmt.Sprintf(", alert %s, value last told %s, severity %s", s.ID, number(s.Told), s.Severity)
	}
	if s.First != "" {
		text += ", first event " + s.First
	}
	if s.FiresAt != "" {
		text += ", fires at " + s.FiresAt
	}
	if s.Resolved != "" {
		text += ", resolved at " + s.Resolved
	}
	return text
}

func (s *Seen) words() string {
	text := s.Time + " " + s.ID
	if s.Weight != 1 {
		text += " weight " + number(s.Weight)
	}
	if len(s.Matches) > 0 {
		text += " matches " + strings.Join(s.Matches, ", ")
	}
	var fails []string
	for _, f := range s.Fails {
		has := "has none"
		if f.Found != "" {
			has = "found " + f.Found
		}
		fails = append(fails, f.KQL+" ("+has+")")
	}
	if len(fails) > 0 {
		text += " fails " + strings.Join(fails, ", ")
	}
	if s.Note != "" {
		text += " (" + s.Note + ")"
	}
	return text
}
