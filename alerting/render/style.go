package render

import (
	"strings"

	"imwatch/alerting/channel"
)

// Style is a way of showing: a markup and a length.
type Style string

// The styles.
const (
	WeCom    Style = "wecom"    // WeCom's Markdown with colours
	WeComV2  Style = "wecom_v2" // WeCom's markdown_v2: tables, no colours
	DingTalk Style = "dingtalk" // DingTalk's Markdown
	Feishu   Style = "feishu"   // the Markdown of Feishu's cards
	Slack    Style = "slack"    // Slack's mrkdwn
	Plain    Style = "plain"    // text of some lines
	Email    Style = "email"    // text and HTML
	SMS      Style = "sms"      // one short line
	Voice    Style = "voice"    // a sentence to be spoken
)

// Styles gives all styles.
func Styles() []Style {
	return []Style{WeCom, WeComV2, DingTalk, Feishu, Slack, Plain, Email, SMS, Voice}
}

// file names the template of a style's body.
func (s Style) file() string {
	switch s {
	case WeComV2, DingTalk, Feishu, Slack:
		return "chat.txt"
	}
	return string(s) + ".txt"
}

// heading, item, links and table are the functions by which chat.txt is one template for several markups.

func (s Style) heading(text string) string {
	switch s {
	case WeComV2, DingTalk:
		return "### " + text
	case Feishu: // the card's header says it
		return ""
	case Slack:
		return "*" + text + "*"
	}
	return text
}

func (s Style) item(name, text string) string {
	switch s {
	case WeComV2, DingTalk:
		return "- **" + name + "** " + text
	case Feishu:
		return "**" + name + "** " + text
	case Slack:
		return "*" + name + "* " + text
	case WeCom:
		return "> " + name + " " + text
	}
	return name + " " + text
}

func (s Style) link(l channel.Link) string {
	switch s {
	case WeCom, WeComV2, DingTalk, Feishu:
		return "[" + l.Name + "](" + l.URL + ")"
	case Slack:
		return "<" + l.URL + "|" + l.Name + ">"
	}
	return l.Name + ": " + l.URL
}

// links gives a line with all links; none where the channel shows them as buttons.
func (s Style) links(ls []channel.Link) string {
	if s == Feishu {
		return ""
	}
	parts := make([]string, len(ls))
	for i, l := range ls {
		parts[i] = s.link(l)
	}
	if s == Plain || s == Email {
		return strings.Join(parts, "\n")
	}
	return strings.Join(parts, " · ")
}

// table gives rows under a header: a table where the markup has one, else lines of aligned columns.
func (s Style) table(header []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	if s == WeComV2 {
		var b strings.Builder
		b.WriteString("| " + strings.Join(header, " | ") + " |\n|" + strings.Repeat(" :--- |", len(header)))
		for _, r := range rows {
			b.WriteString("\n| " + strings.Join(r, " | ") + " |")
		}
		return b.String()
	}
	if s == Plain || s == Email {
		return aligned(header, rows)
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, s.item(r[0], strings.Join(r[1:], " ")))
	}
	return strings.Join(lines, "\n")
}

func aligned(header []string, rows [][]string) string {
	all := append([][]string{header}, rows...)
	width := make([]int, len(header))
	for _, r := range all {
		for i, c := range r {
			if i < len(width) {
				width[i] = max(width[i], columns(c))
			}
		}
	}
	lines := make([]string, len(all))
	for i, r := range all {
		var b strings.Builder
		for j, c := range r {
			b.WriteString(c)
			if j < len(r)-1 {
				b.WriteString(strings.Repeat(" ", max(0, width[min(j, len(width)-1)]-columns(c))+2))
			}
		}
		lines[i] = b.String()
	}
	return strings.Join(lines, "\n")
}

// columns is how wide a text is shown: letters of Chinese, Japanese and Korean take two places.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if n++; r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe4f || r >= 0xff00 && r <= 0xff60) {
			n++
		}
	}
	return n
}
