package robot

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// What WeCom's robot takes.
const (
	perMinute   = 20
	maxMarkdown = 4096
	maxText     = 2048
)

func code(n int, words string) Answer {
	body, _ := json.Marshal(map[string]any{"errcode": n, "errmsg": words})
	return Answer{Body: string(body)}
}

// tooMany counts an accepted call, unless so many were accepted in the last minute already.
func (r *Robot) tooMany(p Provider, at time.Time, limit int) bool {
	calls := r.accepted[p]
	for len(calls) > 0 && at.Sub(calls[0]) >= time.Minute {
		calls = calls[1:]
	}
	if r.accepted[p] = calls; len(calls) >= limit {
		return true
	}
	r.accepted[p] = append(calls, at)
	return false
}

// wecom judges a call as WeCom does: always HTTP 200, with the truth in the body.
func (r *Robot) wecom(q *http.Request, m *Message) Answer {
	if q.URL.Query().Get("key") != Key {
		return code(93000, "invalid webhook url")
	}
	var body struct {
		Type       string                   `json:"msgtype"`
		Markdown   struct{ Content string } `json:"markdown"`
		MarkdownV2 struct{ Content string } `json:"markdown_v2"`
		Text       struct{ Content string } `json:"text"`
		Card       struct {
			Type   string                       `json:"card_type"`
			Main   struct{ Title, Desc string } `json:"main_title"`
			Sub    string                       `json:"sub_title_text"`
			Rows   []struct{ Keyname string }   `json:"horizontal_content_list"`
			Jumps  []any                        `json:"jump_list"`
			Action struct {
				Type int
				URL  string
			} `json:"card_action"`
		} `json:"template_card"`
	}
	if json.Unmarshal(m.Body, &body) != nil {
		return code(40008, "invalid message type")
	}
	limit := maxMarkdown
	switch body.Type {
	case "markdown":
		m.Text = body.Markdown.Content
	case "markdown_v2":
		m.Text = body.MarkdownV2.Content
	case "text":
		m.Text, limit = body.Text.Content, maxText
	case "template_card":
		c := body.Card
		m.Text = c.Main.Title + "\n" + c.Sub
		if c.Type != "text_notice" || c.Action.Type != 1 || c.Action.URL == "" || len(c.Rows) > 6 || len(c.Jumps) > 3 {
			return code(42014, "invalid template_card")
		}
	default:
		return code(40008, "invalid message type")
	}
	if m.Text == "" || len(m.Text) > limit || !utf8.ValidString(m.Text) {
		return code(40058, body.Type+".content exceed max length")
	}
	if r.tooMany(WeCom, m.At, perMinute) {
		return code(45009, "api freq out of limit")
	}
	a := code(0, "ok")
	a.Accept = true
	return a
}

// webhook takes everything that is JSON.
func (r *Robot) webhook(_ *http.Request, m *Message) Answer {
	var body struct {
		Title string `json:"title"`
	}
	if json.Unmarshal(m.Body, &body) != nil {
		return Answer{Status: http.StatusBadRequest, Body: `{"error":"not JSON"}`}
	}
	m.Text = body.Title
	return Answer{Body: `{"ok":true}`, Accept: true}
}

// sms takes a number and a text, as a form or as JSON.
func (r *Robot) sms(q *http.Request, m *Message) Answer {
	if strings.HasPrefix(q.Header.Get("Content-Type"), "application/json") {
		var body struct{ To, Text string }
		_ = json.Unmarshal(m.Body, &body) // what is missing is refused below
		m.To, m.Text = body.To, body.Text
	} else if form, err := url.ParseQuery(string(m.Body)); err == nil {
		m.To, m.Text = form.Get("to"), form.Get("text")
	}
	if m.To == "" || m.Text == "" {
		return Answer{Body: `{"code":"MissingParameter","message":"to and text are needed"}`}
	}
	return Answer{Body: `{"code":"OK"}`, Accept: true}
}
