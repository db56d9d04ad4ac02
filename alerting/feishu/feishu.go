// Package feishu notifies a Feishu (飞书) or Lark group by its robot, with signed cards.
//
// What became of a call stands in the body's code, whatever the HTTP status. The hook's address is a secret and is in no
// error and no log.
package feishu

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// maxText is how many bytes a message fills: a robot takes 20 KB in all, and nobody reads more than this.
const maxText = 8_000

// burst is how many calls are made at once: Feishu allows five in a second as well as a number in a minute.
const burst = 4

// Robot is one group robot. Safe for concurrent use.
type Robot struct {
	cfg    Config
	client *http.Client
	clock  *egress.Clock
}

// New makes a robot. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Robot, error) {
	client, err := cfg.Client(client, true)
	if err != nil {
		return nil, fmt.Errorf("making the robot's client: %w", err)
	}
	return &Robot{cfg, client, egress.NewClock(now)}, nil
}

// Budget gives the calls that the robot allows: four in the time in which the minute's limit allows four.
func (r *Robot) Budget() channel.Budget {
	return channel.Budget{
		Key: channel.BudgetKey("feishu", r.cfg.URL), Calls: burst, Per: burst * time.Minute / time.Duration(r.cfg.PerMinute),
		Reserve: r.cfg.Reserve, Fold: maxText - 500,
	}
}

// Close gives idle connections back.
func (r *Robot) Close() { r.client.CloseIdleConnections() }

// Sign gives the signature of a time in seconds. The secret is part of the key, and what is signed is empty.
func Sign(secret, seconds string) string {
	return base64.StdEncoding.EncodeToString(hmac.New(sha256.New, []byte(seconds+"\n"+secret)).Sum(nil))
}

// Send makes one attempt; where only our clock was wrong, a second one.
func (r *Robot) Send(ctx context.Context, n channel.Notification) channel.Result {
	return egress.Twice(func() channel.Result {
		answer, result, done := egress.Call(ctx, r.client, r.cfg.URL, r.message(n), path.Base(r.cfg.URL), r.cfg.Secret)
		if done {
			return result
		}
		return r.judge(answer)
	})
}

type message struct {
	Time    string `json:"timestamp,omitempty"`
	Sign    string `json:"sign,omitempty"`
	Type    string `json:"msg_type"`
	Content *text  `json:"content,omitempty"`
	Card    *card  `json:"card,omitempty"`
}

type text struct {
	Text string `json:"text"`
}

func (r *Robot) message(n channel.Notification) message {
	m := message{}
	if r.cfg.Secret != "" {
		m.Time = strconv.FormatInt(r.clock.Now().Unix(), 10)
		m.Sign = Sign(r.cfg.Secret, m.Time)
	}
	if r.cfg.Format == Text {
		mention := r.mention(n, `<at user_id="%s"></at>`)
		body := n.Message.Body
		if !strings.HasPrefix(body, n.Message.Title) {
			body = n.Message.Title + "\n" + body
		}
		link := ""
		if len(n.Message.Links) > 0 {
			link = n.Message.Links[0].URL
		}
		m.Type, m.Content = "text", &text{channel.CutBytesTo(harmless(body), maxText-len(mention), link) + mention}
		return m
	}
	m.Type, m.Card = "interactive", newCard(n, r.mention(n, `<at id=%s></at>`))
	return m
}

// harmless takes the tags out of plain text: a text message can mention as well.
func harmless(s string) string { return strings.ReplaceAll(s, "<", "＜") }

func (r *Robot) mention(n channel.Notification, tag string) string {
	if !n.Loud() || len(r.cfg.Mention) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('\n')
	for _, id := range r.cfg.Mention {
		fmt.Fprintf(&b, tag, id)
	}
	return b.String()
}

// The codes that decide.
const (
	codeOK      = 0
	codeBad     = 9499  // a bad body; too many requests as well
	codeLimited = 11232 // called too often, or at a busy moment such as the full hour
	codeSign    = 19021 // signature, or a time more than an hour off
)

// tooOften is how long a robot that was called too often is left alone.
const tooOften = time.Minute

func (r *Robot) judge(a egress.Answer) channel.Result {
	var answer struct {
		Code    *int   `json:"code"`
		Old     *int   `json:"StatusCode"` // the first version's name
		Message string `json:"msg"`
	}
	if json.Unmarshal(a.Body, &answer) != nil || answer.Code == nil && answer.Old == nil {
		if result, ok := egress.ByStatus(a, r.clock.Own()); ok {
			return result
		}
		return channel.NoAnswer("HTTP %d without a code: %s", a.Status, a.Body)
	}
	code := answer.Code
	if code == nil {
		code = answer.Old
	}
	switch {
	case *code == codeOK && a.Status < 300:
		return channel.Accept("code 0")
	case *code == codeLimited, *code == codeBad && strings.Contains(strings.ToLower(answer.Message), "too many"):
		return channel.TryLater(max(tooOften, egress.RetryAfter(a.Header, r.clock.Own())), "code %d: %s", *code, answer.Message)
	case *code == codeSign && r.cfg.Secret != "" && r.clock.Learn(a):
		return channel.Renew("code %d: %s; this machine's clock is wrong, Feishu's time is used", *code, answer.Message)
	case a.Status == http.StatusTooManyRequests, a.Status >= 500:
		return channel.TryLater(egress.RetryAfter(a.Header, r.clock.Own()), "HTTP %d, code %d: %s", a.Status, *code, answer.Message)
	}
	return channel.Refuse("code %d: %s", *code, answer.Message)
}
