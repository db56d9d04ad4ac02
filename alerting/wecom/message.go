package wecom

import (
	"strings"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

type request struct {
	Type       string    `json:"msgtype"`
	Markdown   *markdown `json:"markdown,omitempty"`
	MarkdownV2 *markdown `json:"markdown_v2,omitempty"`
	Text       *text     `json:"text,omitempty"`
	Card       *card     `json:"template_card,omitempty"`
}

type markdown struct {
	Content string `json:"content"`
}

type text struct {
	Content string   `json:"content"`
	Users   []string `json:"mentioned_list,omitempty"`
	Mobiles []string `json:"mentioned_mobile_list,omitempty"`
}

// body makes the request's body. Not only its content but the whole is kept below the robot's limit: then it does not
// matter what exactly WeCom counts.
func (r *Robot) body(n channel.Notification) ([]byte, error) {
	limit, over := r.limit(), 0
	for {
		body, err := egress.Encode(r.request(n, limit-over))
		if err != nil || len(body) <= r.limit() || r.cfg.Format == TemplateCard {
			return body, err
		}
		over += len(body) - r.limit()
	}
}

func (r *Robot) limit() int {
	if r.cfg.Format == Text {
		return MaxText
	}
	return MaxMarkdown
}

func (r *Robot) request(n channel.Notification, limit int) request {
	switch r.cfg.Format {
	case TemplateCard:
		c := newCard(n, r.cfg.CardURL)
		return request{Type: TemplateCard, Card: &c}
	case Text:
		t := &text{Content: channel.CutBytesTo(withTitle(n), limit, first(n.Message.Links))}
		if n.Loud() {
			t.Users, t.Mobiles = r.cfg.Mention, r.cfg.MentionMobiles
		}
		return request{Type: Text, Text: t}
	case MarkdownV2:
		return request{Type: MarkdownV2, MarkdownV2: &markdown{channel.CutBytesTo(n.Message.Body, limit, named(n.Message.Links))}}
	}
	mentions := ""
	if n.Loud() {
		mentions = r.mentions()
	}
	return request{Type: Markdown, Markdown: &markdown{channel.CutBytesTo(n.Message.Body, limit-len(mentions), named(n.Message.Links)) + mentions}}
}

// withTitle puts the title above a body that does not begin with it.
func withTitle(n channel.Notification) string {
	if strings.HasPrefix(n.Message.Body, n.Message.Title) {
		return n.Message.Body
	}
	return n.Message.Title + "\n" + n.Message.Body
}

func (r *Robot) mentions() string {
	if len(r.cfg.Mention) == 0 {
		return ""
	}
	return "\n<@" + strings.Join(r.cfg.Mention, ">\n<@") + ">"
}

func first(links []channel.Link) string {
	if len(links) == 0 {
		return ""
	}
	return links[0].URL
}

// named is the link to the whole, for a text that was cut.
func named(links []channel.Link) string {
	if len(links) == 0 {
		return ""
	}
	return "[" + links[0].Name + "](" + links[0].URL + ")"
}
