// Package wecom notifies a WeCom (企业微信) group by its robot.
//
// The robot answers every call with HTTP 200 and says in the body what became of it, so the body's errcode decides.
// Content is cut by bytes to what the robot takes. The robot's key stands in its URL, which is in no error and no log.
package wecom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// The most bytes of content that a robot takes.
const (
	MaxMarkdown = 4096
	MaxText     = 2048
)

// Robot is one group robot. Safe for concurrent use.
type Robot struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a robot. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Robot, error) {
	if client == nil {
		var err error
		// The operator names the address and WeCom may be reached through a gateway inside: it may be private.
		if client, err = egress.New(egress.Options{AllowPrivate: true, UseProxy: cfg.UseProxy, CAFile: cfg.CAFile}); err != nil {
			return nil, fmt.Errorf("making the robot's client: %w", err)
		}
	}
	if now == nil {
		now = time.Now
	}
	return &Robot{cfg, client, now}, nil
}

// Budget gives the calls that the robot allows. Its key is a hash of the URL.
func (r *Robot) Budget() channel.Budget {
	h := sha256.Sum256([]byte(r.cfg.URL))
	return channel.Budget{Key: "wecom-" + hex.EncodeToString(h[:8]), Calls: r.cfg.PerMinute, Per: time.Minute}
}

// Close gives idle connections back.
func (r *Robot) Close() { r.client.CloseIdleConnections() }

type request struct {
	Type     string    `json:"msgtype"`
	Markdown *markdown `json:"markdown,omitempty"`
	Text     *text     `json:"text,omitempty"`
}

type markdown struct {
	Content string `json:"content"`
}

type text struct {
	Content string   `json:"content"`
	Users   []string `json:"mentioned_list,omitempty"`
	Mobiles []string `json:"mentioned_mobile_list,omitempty"`
}

// Send makes one attempt.
func (r *Robot) Send(ctx context.Context, n channel.Notification) channel.Result {
	body, err := json.Marshal(r.request(n))
	if err != nil {
		return channel.Refuse("encoding the message: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return channel.Refuse("the robot's url is not one")
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := egress.Do(ctx, r.client, req)
	if err != nil {
		return egress.Failed(err)
	}
	_, key, _ := strings.Cut(r.cfg.URL, "key=")
	answer = answer.Without(r.cfg.URL, key)
	if result, ok := egress.ByStatus(answer, r.now()); ok {
		return result
	}
	return judge(answer.Body)
}

func (r *Robot) request(n channel.Notification) request {
	loud := n.Kind != channel.Resolved
	if r.cfg.Format == Text {
		t := &text{Content: channel.CutBytes(n.Message.Title+"\n"+n.Message.Body, MaxText)}
		if loud {
			t.Users, t.Mobiles = r.cfg.Mention, r.cfg.MentionMobiles
		}
		return request{Type: Text, Text: t}
	}
	mentions := ""
	if loud && len(r.cfg.Mention) > 0 {
		mentions = "\n<@" + strings.Join(r.cfg.Mention, ">\n<@") + ">"
	}
	content := channel.CutBytes(n.Message.Body, MaxMarkdown-len(mentions)) + mentions
	return request{Type: Markdown, Markdown: &markdown{content}}
}
