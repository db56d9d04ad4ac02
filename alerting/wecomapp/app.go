// Package wecomapp notifies members of a WeCom (企业微信) corporation by messages of an application.
//
// The access token is kept until the end that WeCom gave it, and renewed at once when WeCom says that it has ended
// before. HTTP 200 with errcode 0 may still name members who were not told: that is a partial success. WeCom suppresses
// the same message for a while when asked, so one that is sent again after a lost answer is not shown twice.
package wecomapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// maxContent is the most bytes of content that WeCom takes, of text and markdown.
const maxContent = 2048

// App is one application. Safe for concurrent use.
type App struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
	token  token
}

// New makes an application. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*App, error) {
	client, err := cfg.Client(client, true)
	if err != nil {
		return nil, fmt.Errorf("making the application's client: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &App{cfg: cfg, client: client, now: now}, nil
}

// Budget gives the calls that members may get.
func (a *App) Budget() channel.Budget {
	return channel.Budget{
		Key: channel.BudgetKey("wecom-app", fmt.Sprint(a.cfg.CorpID, " ", a.cfg.AgentID)), Calls: a.cfg.PerMinute, Per: time.Minute,
		Reserve: a.cfg.Reserve, Fold: maxContent - 300,
	}
}

// Close gives idle connections back.
func (a *App) Close() { a.client.CloseIdleConnections() }

type message struct {
	Users    string   `json:"touser,omitempty"`
	Parties  string   `json:"toparty,omitempty"`
	Tags     string   `json:"totag,omitempty"`
	Type     string   `json:"msgtype"`
	Agent    int      `json:"agentid"`
	Markdown *content `json:"markdown,omitempty"`
	Text     *content `json:"text,omitempty"`
	Check    int      `json:"enable_duplicate_check,omitempty"`
	Interval int      `json:"duplicate_check_interval,omitempty"` // s
}

type content struct {
	Content string `json:"content"`
}

// Send makes one attempt, and a second one with a new token where the old one had ended.
func (a *App) Send(ctx context.Context, n channel.Notification) channel.Result {
	m := a.message(n)
	return egress.Twice(func() channel.Result {
		value, result, ok := a.get(ctx)
		if !ok {
			return result
		}
		answer, result, done := egress.Call(ctx, a.client, strings.TrimRight(a.cfg.URL, "/")+"/cgi-bin/message/send?access_token="+value, m, value, a.cfg.Secret)
		if done {
			return result
		}
		if result, ok := egress.ByStatus(answer, a.now()); ok {
			return result
		}
		result = a.judge(answer.Body)
		if result.Verdict == channel.Refresh {
			a.drop(value)
		}
		return result
	})
}

func (a *App) message(n channel.Notification) message {
	m := message{
		Users: strings.Join(a.cfg.Users, "|"), Parties: strings.Join(a.cfg.Parties, "|"), Tags: strings.Join(a.cfg.Tags, "|"),
		Type: a.cfg.Format, Agent: a.cfg.AgentID,
	}
	if a.cfg.Duplicates > 0 {
		m.Check, m.Interval = 1, int(a.cfg.Duplicates/time.Second)
	}
	link := ""
	if a.cfg.Format == Text {
		if len(n.Message.Links) > 0 {
			link = n.Message.Links[0].URL
		}
		body := n.Message.Body
		if !strings.HasPrefix(body, n.Message.Title) {
			body = n.Message.Title + "\n" + body
		}
		m.Text = &content{channel.CutBytesTo(body, maxContent, link)}
		return m
	}
	if len(n.Message.Links) > 0 {
		link = "[" + n.Message.Links[0].Name + "](" + n.Message.Links[0].URL + ")"
	}
	m.Markdown = &content{channel.CutBytesTo(n.Message.Body, maxContent, link)}
	return m
}

// The error codes that decide.
const (
	codeOK       = 0
	codeBusy     = -1
	codeNobody   = 81013 // none of the receivers is one
	codeTooOften = 45009
	codeTooFast  = 45033
	codeLimited  = 45011
)

// tooOften is how long an application that called too often is left alone.
const tooOften = time.Minute

func tooOftenCode(code int) bool {
	return code == codeTooOften || code == codeTooFast || code == codeLimited
}

// ended says whether a code means that the token is none any more.
func ended(code int) bool { return code == 40014 || code == 42001 || code == 40001 }

func (a *App) judge(body []byte) channel.Result {
	var r struct {
		Code       *int   `json:"errcode"`
		Message    string `json:"errmsg"`
		Users      string `json:"invaliduser"`
		Parties    string `json:"invalidparty"`
		Tags       string `json:"invalidtag"`
		Unlicensed string `json:"unlicenseduser"`
	}
	if err := json.Unmarshal(body, &r); err != nil || r.Code == nil {
		return channel.NoAnswer("HTTP 200 without an errcode: %s", body)
	}
	code := *r.Code
	switch {
	case code == codeOK && r.Users+r.Parties+r.Tags+r.Unlicensed != "":
		return channel.Result{
			Verdict: channel.Partial,
			Words:   channel.CutBytes(fmt.Sprintf("errcode 0, not told: users %q, parties %q, tags %q, unlicensed %q", r.Users, r.Parties, r.Tags, r.Unlicensed), 400),
		}
	case code == codeOK:
		return channel.Accept("errcode 0")
	case code == codeBusy:
		return channel.TryLater(0, "errcode -1: %s", r.Message)
	case tooOftenCode(code):
		return channel.TryLater(tooOften, "errcode %d: %s", code, r.Message)
	case ended(code):
		return channel.Renew("errcode %d: %s", code, r.Message)
	case code == codeNobody:
		return channel.Refuse("errcode %d: nobody of those named can be told: %s", code, r.Message)
	}
	return channel.Refuse("errcode %d: %s", code, r.Message)
}
