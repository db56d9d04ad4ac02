// Package slack notifies a Slack channel by an incoming webhook.
//
// Slack says ok in the body of an HTTP 200, and everything else by status: 429 with Retry-After when it was called too
// often, 4xx with a word where the request or the hook is wrong. The hook's address is a secret and is in no error and
// no log.
package slack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// What Slack takes: bytes of a section's text (it counts characters), and of the text that notifications on a phone show.
const (
	maxSection = 3000
	maxTitle   = 400
)

// Hook is one webhook. Safe for concurrent use.
type Hook struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a hook. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Hook, error) {
	client, err := cfg.Client(client, true)
	if err != nil {
		return nil, fmt.Errorf("making the webhook's client: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &Hook{cfg, client, now}, nil
}

// Budget gives the calls that the webhook allows.
func (h *Hook) Budget() channel.Budget {
	return channel.Budget{
		Key: channel.BudgetKey("slack", h.cfg.URL), Calls: h.cfg.PerMinute, Per: time.Minute, Reserve: h.cfg.Reserve, Fold: maxSection - 100,
	}
}

// Close gives idle connections back.
func (h *Hook) Close() { h.client.CloseIdleConnections() }

type message struct {
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Colour string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type string `json:"type"`
	Text words  `json:"text"`
}

type words struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// Send makes one attempt.
func (h *Hook) Send(ctx context.Context, n channel.Notification) channel.Result {
	_, secret, _ := strings.Cut(h.cfg.URL, "/services/")
	answer, result, done := egress.Call(ctx, h.client, h.cfg.URL, h.message(n), secret)
	if done {
		return result
	}
	if result, ok := egress.ByStatus(answer, h.now()); ok {
		return result
	}
	if body := strings.TrimSpace(string(answer.Body)); body != "ok" {
		return channel.NoAnswer("HTTP %d: %s", answer.Status, body)
	}
	return channel.Accept("ok")
}

func (h *Hook) message(n channel.Notification) message {
	link := ""
	if len(n.Message.Links) > 0 {
		link = "<" + n.Message.Links[0].URL + "|" + n.Message.Links[0].Name + ">"
	}
	title := []string{channel.CutBytes(n.Message.Title, maxTitle)}
	if n.Loud() {
		for _, who := range h.cfg.Mention {
			title = append(title, mention(who))
		}
	}
	body := words{"mrkdwn", channel.CutBytesTo(n.Message.Body, maxSection, link)}
	return message{strings.Join(title, " "), []attachment{{colour(n), []block{{"section", body}}}}}
}

func mention(who string) string {
	switch {
	case who == "here", who == "channel", who == "everyone":
		return "<!" + who + ">"
	case strings.HasPrefix(who, "S"):
		return "<!subteam^" + who + ">"
	}
	return "<@" + who + ">"
}

func colour(n channel.Notification) string {
	switch {
	case !n.Loud():
		return "#1a7f37"
	case n.Alert.Severity == "critical":
		return "#a40e26"
	case n.Alert.Severity == "high":
		return "#bc4c00"
	}
	return "#6e7781"
}
