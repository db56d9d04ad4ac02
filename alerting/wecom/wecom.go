// Package wecom notifies a WeCom (企业微信) group by its robot.
//
// The robot answers every call with HTTP 200 and says in the body what became of it, so the body's errcode decides.
// Content is cut by bytes to what the robot takes. The robot's key stands in its URL, which is in no error and no log.
package wecom

import (
	"context"
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

// room is what a digest leaves free for the title, line ends and the JSON around it.
const room = 400

// Robot is one group robot. Safe for concurrent use.
type Robot struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a robot. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Robot, error) {
	// The operator names the address and WeCom may be reached through a gateway inside: it may be private.
	client, err := cfg.Client(client, true)
	if err != nil {
		return nil, fmt.Errorf("making the robot's client: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &Robot{cfg, client, now}, nil
}

// Budget gives the calls that the robot allows. Its key is a hash of the URL.
func (r *Robot) Budget() channel.Budget {
	b := channel.Budget{Key: channel.BudgetKey("wecom", r.cfg.URL), Calls: r.cfg.PerMinute, Per: time.Minute, Reserve: r.cfg.Reserve}
	switch r.cfg.Format {
	case Text:
		b.Fold = MaxText - room
	case TemplateCard:
		b.Fold = maxSub
	default:
		b.Fold = MaxMarkdown - room - len(r.mentions())
	}
	return b
}

// Close gives idle connections back.
func (r *Robot) Close() { r.client.CloseIdleConnections() }

// Send makes one attempt.
func (r *Robot) Send(ctx context.Context, n channel.Notification) channel.Result {
	body, err := r.body(n)
	if err != nil {
		return channel.Refuse("encoding the message: %v", err)
	}
	req, err := egress.Post(ctx, r.cfg.URL, body)
	if err != nil {
		return channel.Refuse("%v", err)
	}
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
