package feishu

import (
	"imwatch/alerting/channel"
)

// maxTitle keeps a header to what is shown of it.
const maxTitle = 300

type card struct {
	Config   config    `json:"config"`
	Header   header    `json:"header"`
	Elements []element `json:"elements"`
}

type config struct {
	Wide bool `json:"wide_screen_mode"`
}

type header struct {
	Title  words  `json:"title"`
	Colour string `json:"template"`
}

type words struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

type element struct {
	Tag     string   `json:"tag"`
	Text    *words   `json:"text,omitempty"`
	Actions []button `json:"actions,omitempty"`
}

type button struct {
	Tag  string `json:"tag"`
	Text words  `json:"text"`
	URL  string `json:"url"`
	Type string `json:"type"`
}

func newCard(n channel.Notification, mention string) *card {
	c := &card{Config: config{true}, Header: header{words{"plain_text", channel.CutBytes(n.Message.Title, maxTitle)}, colour(n)}}
	link := ""
	var buttons []button
	for i, l := range n.Message.Links {
		kind := "default"
		if i == 0 {
			kind, link = "primary", "["+l.Name+"]("+l.URL+")"
		}
		buttons = append(buttons, button{"button", words{"plain_text", l.Name}, l.URL, kind})
	}
	body := channel.CutBytesTo(n.Message.Body, maxText-len(mention), link) + mention
	c.Elements = append(c.Elements, element{Tag: "div", Text: &words{"lark_md", body}})
	if len(buttons) > 0 {
		c.Elements = append(c.Elements, element{Tag: "action", Actions: buttons})
	}
	return c
}

func colour(n channel.Notification) string {
	switch {
	case !n.Loud():
		return "green"
	case n.Alert.Severity == "critical":
		return "red"
	case n.Alert.Severity == "high":
		return "orange"
	case n.Alert.Severity == "warn":
		return "yellow"
	}
	return "blue"
}
