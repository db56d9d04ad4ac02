// Package sms notifies mobile numbers through the HTTP interface of an SMS gateway.
//
// The request's body is a template and what the answer means is a condition, so that it fits the gateways that take a
// plain request with a fixed token. Providers that want every request signed need a channel of their own.
//
// Each number is told by a call of its own, and one that has accepted is not told again in a later attempt.
package sms

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
)

// Gateway is one gateway with its numbers. Safe for concurrent use.
type Gateway struct {
	cfg       Config
	body      body
	success   *condition
	retryWhen *condition
	client    *http.Client
	now       func() time.Time
}

// New makes a gateway. client nil: one of its own, which refuses private addresses unless they are allowed; a given
// client is used as it is. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Gateway, error) {
	g := &Gateway{cfg: cfg, client: client, now: now}
	var err error
	if g.body, err = newBody(cfg); err != nil {
		return nil, err
	}
	if g.success, err = parseCondition(cfg.Success); err != nil {
		return nil, fmt.Errorf("success: %w", err)
	}
	if g.retryWhen, err = parseCondition(cfg.RetryWhen); err != nil {
		return nil, fmt.Errorf("retry_when: %w", err)
	}
	if g.client, err = cfg.Client(client, cfg.AllowPrivate); err != nil {
		return nil, fmt.Errorf("making the gateway's client: %w", err)
	}
	if now == nil {
		g.now = time.Now
	}
	return g, nil
}

// Budgets gives what each number may be told. Several alerts can be told in one text, of so many characters.
func (g *Gateway) Budgets() []channel.Budget {
	return g.cfg.Budgets("sms", g.cfg.URL, g.cfg.Numbers, g.cfg.MaxRunes)
}

// Close gives idle connections back.
func (g *Gateway) Close() { g.client.CloseIdleConnections() }

// Send makes one attempt for each number that has not accepted yet.
func (g *Gateway) Send(ctx context.Context, n channel.Notification) channel.Result {
	return channel.Each(n, g.cfg.Numbers, func(number string) channel.Result { return g.tell(ctx, number, n) })
}

func (g *Gateway) tell(ctx context.Context, number string, n channel.Notification) channel.Result {
	text := channel.CutRunes(n.Message.Body, g.cfg.MaxRunes)
	body, contentType, err := g.body.make(values{number, text, g.cfg.Token, n.ID})
	if err != nil {
		return channel.Refuse("making the request: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.cfg.URL, strings.NewReader(body))
	if err != nil {
		return channel.Refuse("the gateway's url is not one")
	}
	for name, value := range g.cfg.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Idempotency-Key", n.ID+"-"+channel.Tag(number))
	if g.cfg.Authorization != "" {
		req.Header.Set("Authorization", g.cfg.Authorization)
	}
	answer, err := egress.Do(ctx, g.client, req)
	if err != nil {
		return egress.Failed(err)
	}
	return g.judge(answer.Without(number, g.cfg.Token, g.cfg.Authorization))
}

func (g *Gateway) judge(answer egress.Answer) channel.Result {
	r, failed := egress.ByStatus(answer, g.now())
	switch {
	case g.retryWhen != nil && g.retryWhen.holds(answer.Body):
		return channel.TryLater(r.After, "HTTP %d: %s", answer.Status, answer.Body)
	case failed:
		return r
	case g.success != nil && !g.success.holds(answer.Body):
		return channel.Refuse("HTTP %d: %s", answer.Status, answer.Body)
	}
	return channel.Accept(fmt.Sprintf("HTTP %d: %s", answer.Status, answer.Body))
}
