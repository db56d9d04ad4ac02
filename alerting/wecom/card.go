package wecom

import (
	"imwatch/alerting/channel"
)

// What a card of type text_notice shows: WeCom cuts what is longer, or refuses it.
const (
	maxTitle    = 26 * 3 // bytes, as are all of these; WeCom counts characters, Chinese ones at most
	maxDesc     = 30 * 3
	maxSub      = 112 * 3
	maxRows     = 6
	maxRowName  = 5 * 3
	maxRowValue = 26 * 3
	maxJumps    = 3
)

// card is a template_card of type text_notice.
type card struct {
	Type   string   `json:"card_type"`
	Source *source  `json:"source,omitempty"`
	Main   heading  `json:"main_title"`
	Sub    string   `json:"sub_title_text,omitempty"`
	Rows   []row    `json:"horizontal_content_list,omitempty"`
	Jumps  []jump   `json:"jump_list,omitempty"`
	Action clicking `json:"card_action"`
}

type source struct {
	Text   string `json:"desc"`
	Colour int    `json:"desc_color"` // 0 grey, 1 black, 2 red, 3 green
}

type heading struct {
	Title string `json:"title"`
	Text  string `json:"desc,omitempty"`
}

type row struct {
	Name string `json:"keyname"`
	Text string `json:"value"`
}

type jump struct {
	Type int    `json:"type"` // 1: an address
	Name string `json:"title"`
	URL  string `json:"url"`
}

type clicking struct {
	Type int    `json:"type"` // 1: an address
	URL  string `json:"url"`
}

// newCard shows a notification as a card that leads to its first link, or else to where the configuration says.
func newCard(n channel.Notification, elsewhere string) card {
	c := card{Type: "text_notice", Action: clicking{1, elsewhere}, Sub: channel.CutBytes(sub(n), maxSub)}
	c.Main.Title = channel.CutBytes(n.Message.Title, maxTitle)
	for _, f := range n.Message.Fields {
		text := channel.CutBytes(f.Text, maxRowValue)
		switch f.ID {
		case "state":
			c.Source = &source{channel.CutBytes(f.Text, maxRowName*2), colour(n)}
		case "rule":
			c.Main.Text = channel.CutBytes(f.Text, maxDesc)
		default:
			if len(c.Rows) < maxRows {
				c.Rows = append(c.Rows, row{channel.CutBytes(f.Name, maxRowName), text})
			}
		}
	}
	links := n.Message.Links
	if len(links) > 0 {
		c.Action.URL, links = links[0].URL, links[1:]
	}
	for _, l := range links[max(0, len(links)-maxJumps):] { // those by which one can act stand last
		c.Jumps = append(c.Jumps, jump{1, channel.CutBytes(l.Name, maxTitle/2), l.URL})
	}
	return c
}

// sub is the text below the title: a digest's lines, else what the alert says of itself.
func sub(n channel.Notification) string {
	if n.Kind == channel.Digest {
		return n.Message.Body
	}
	return n.Alert.Annotations["summary"]
}

func colour(n channel.Notification) int {
	switch {
	case !n.Loud():
		return 3
	case n.Alert.Severity == "high", n.Alert.Severity == "critical":
		return 2
	}
	return 1
}
