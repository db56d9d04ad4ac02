// Package dingtalk notifies a DingTalk (钉钉) group by its robot, signed where the robot asks for it.
//
// The robot answers with HTTP 200 and says in errcode what became of the call. Called more than 20 times in a minute, it
// takes nothing for ten, so the budget matters more here than elsewhere. Token and signature stand in the URL, which is
// in no error and no log.
package dingtalk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// maxText is how many bytes a message fills: a robot takes 20,000 in all, and nobody reads more than this.
const maxText = 8_000

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

// Budget gives the calls that the robot allows.
func (r *Robot) Budget() channel.Budget {
	return channel.Budget{
		Key: channel.BudgetKey("dingtalk", r.cfg.URL), Calls: r.cfg.PerMinute, Per: time.Minute, Reserve: r.cfg.Reserve, Fold: maxText - 500,
	}
}

// Close gives idle connections back.
func (r *Robot) Close() { r.client.CloseIdleConnections() }

// Sign gives the signature of a time in milliseconds.
func Sign(secret, ms string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(ms + "\n" + secret))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Send makes one attempt; where only our clock was wrong, a second one.
func (r *Robot) Send(ctx context.Context, n channel.Notification) channel.Result {
	return egress.Twice(func() channel.Result { return r.attempt(ctx, n) })
}

func (r *Robot) attempt(ctx context.Context, n channel.Notification) channel.Result {
	_, token, _ := strings.Cut(r.cfg.URL, "access_token=")
	answer, result, done := egress.Call(ctx, r.client, r.address(), r.message(n), token, r.cfg.Secret)
	if done {
		return result
	}
	if result, ok := egress.ByStatus(answer, r.clock.Own()); ok {
		return result
	}
	return r.judge(answer)
}

// address is the URL with the signature of this moment. It is made anew for each attempt.
func (r *Robot) address() string {
	if r.cfg.Secret == "" {
		return r.cfg.URL
	}
	ms := strconv.FormatInt(r.clock.Now().UnixMilli(), 10)
	sep := "?"
	if strings.Contains(r.cfg.URL, "?") {
		sep = "&"
	}
	return r.cfg.URL + sep + "timestamp=" + ms + "&sign=" + url.QueryEscape(Sign(r.cfg.Secret, ms))
}

type message struct {
	Type     string    `json:"msgtype"`
	Markdown *markdown `json:"markdown,omitempty"`
	Text     *text     `json:"text,omitempty"`
	At       *at       `json:"at,omitempty"`
}

type markdown struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

type text struct {
	Content string `json:"content"`
}

type at struct {
	Mobiles []string `json:"atMobiles,omitempty"`
	Users   []string `json:"atUserIds,omitempty"`
	All     bool     `json:"isAtAll,omitempty"`
}

func (r *Robot) message(n channel.Notification) message {
	var m message
	mention := ""
	if n.Loud() && (len(r.cfg.MentionMobiles)+len(r.cfg.Mention) > 0 || r.cfg.MentionAll) {
		m.At = &at{r.cfg.MentionMobiles, r.cfg.Mention, r.cfg.MentionAll}
		mention = "\n"
		if all := slices.Concat(r.cfg.MentionMobiles, r.cfg.Mention); len(all) > 0 {
			mention += " @" + strings.Join(all, " @") // the text must name whom the list calls
		}
	}
	limit := maxText - len(mention)
	if r.cfg.Format == Text {
		body := n.Message.Body
		if !strings.HasPrefix(body, n.Message.Title) {
			body = n.Message.Title + "\n" + body
		}
		m.Type, m.Text = Text, &text{channel.CutBytesTo(body, limit, more(n, false)) + mention}
		return m
	}
	m.Type = Markdown
	m.Markdown = &markdown{channel.CutBytes(n.Message.Title, 400), channel.CutBytesTo(n.Message.Body, limit, more(n, true)) + mention}
	return m
}

func more(n channel.Notification, named bool) string {
	if len(n.Message.Links) == 0 {
		return ""
	}
	l := n.Message.Links[0]
	if named {
		return "[" + l.Name + "](" + l.URL + ")"
	}
	return l.URL
}

// The error codes that do not mean "never".
const (
	codeOK       = 0
	codeBusy     = -1
	codeTooFast  = 130101
	codeLimited  = 410100
	codeSecurity = 310000 // signature, time, keyword or address
)

// lockout is how long a robot takes nothing after it was called too often.
const lockout = 10 * time.Minute

func (r *Robot) judge(a egress.Answer) channel.Result {
	var answer struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil || answer.Code == nil {
		return channel.NoAnswer("HTTP 200 without an errcode: %s", a.Body)
	}
	switch *answer.Code {
	case codeOK:
		return channel.Accept("errcode 0")
	case codeBusy:
		return channel.TryLater(0, "errcode -1: %s", answer.Message)
	case codeTooFast, codeLimited:
		return channel.TryLater(lockout, "errcode %d: %s", *answer.Code, answer.Message)
	case codeSecurity:
		if r.cfg.Secret != "" && r.clock.Learn(a) {
			return channel.Renew("errcode %d: %s; this machine's clock is wrong, DingTalk's time is used", *answer.Code, answer.Message)
		}
	}
	return channel.Refuse("errcode %d: %s", *answer.Code, answer.Message)
}
