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

// wecom judges a call as WeCom does: always HTTP 200, with the truth in the body. The lock is held.
func (r *Robot) wecom(q *http.Request, m *Message) Answer {
	if q.URL.Query().Get("key") != Key {
		return code(93000, "invalid webhook url")
	}
	var body struct {
		Type           string
		Markdown, Text struct{ Content string }
	}
	var raw map[string]json.RawMessage
	if json.Unmarshal(m.Body, &raw) != nil || json.Unmarshal(raw["msgtype"], &body.Type) != nil {
		return code(40008, "invalid message type")
	}
	var limit int
	switch body.Type {
	case "markdown":
		_ = json.Unmarshal(raw["markdown"], &body.Markdown) // an empty content is refused below
		m.Text, limit = body.Markdown.Content, maxMarkdown
	case "text":
		_ = json.Unmarshal(raw["text"], &body.Text) // likewise
		m.Text, limit = body.Text.Content, maxText
	default:
		return code(40008, "invalid message type")
	}
	if m.Text == "" || len(m.Text) > limit || !utf8.ValidString(m.Text) {
		return code(40058, body.Type+".content exceed max length")
	}
	for len(r.accepted) > 0 && m.At.Sub(r.accepted[0]) >= time.Minute {
		r.accepted = r.accepted[1:]
	}
	if len(r.accepted) >= perMinute {
		return code(45009, "api freq out of limit")
	}
	r.accepted = append(r.accepted, m.At)
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
