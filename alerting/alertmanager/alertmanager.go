// Package alertmanager hands alerts over to an existing Prometheus Alertmanager by its API v2.
//
// Alertmanager knows an alert by its labels. The key's fields and the severity are among them, so when the severity
// rises the alert of the lower one is ended in the same request. It takes an alert for over when it has not heard of it
// for a while; so each one says until when it is to be held.
package alertmanager

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
	"imwatch/event"
)

const alertsPath = "/api/v2/alerts"

// Cluster is the members of one Alertmanager. Safe for concurrent use.
type Cluster struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a cluster. client nil: one of its own. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Cluster, error) {
	client, err := cfg.Client(client, true)
	if err != nil {
		return nil, fmt.Errorf("making Alertmanager's client: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &Cluster{cfg, client, now}, nil
}

// Close gives idle connections back.
func (c *Cluster) Close() { c.client.CloseIdleConnections() }

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Generator   string            `json:"generatorURL,omitempty"`
}

// Send makes one attempt for each member that has not accepted yet.
func (c *Cluster) Send(ctx context.Context, n channel.Notification) channel.Result {
	body, err := egress.Encode(c.alerts(n))
	if err != nil {
		return channel.Refuse("%v", err)
	}
	return channel.Each(n, c.cfg.URLs, func(url string) channel.Result { return c.tell(ctx, url, body) })
}

func (c *Cluster) tell(ctx context.Context, url string, body []byte) channel.Result {
	req, err := egress.Post(ctx, strings.TrimRight(url, "/")+alertsPath, body)
	if err != nil {
		return channel.Refuse("%v", err)
	}
	if c.cfg.Authorization != "" {
		req.Header.Set("Authorization", c.cfg.Authorization)
	}
	answer, err := egress.Do(ctx, c.client, req)
	if err != nil {
		return egress.Failed(err)
	}
	answer = answer.Without(c.cfg.Authorization)
	if result, ok := egress.ByStatus(answer, c.now()); ok {
		return result
	}
	return channel.Accept(fmt.Sprintf("HTTP %d %s", answer.Status, bytes.TrimSpace(answer.Body)))
}

// alerts gives the alert, and the ends of those of lower severities, which it may have been before.
func (c *Cluster) alerts(n channel.Notification) []alert {
	a := n.Alert
	now := c.now().UTC()
	main := alert{
		Labels: c.labels(&a, a.Severity), StartsAt: a.From.UTC(), EndsAt: now.Add(c.cfg.Hold),
		Annotations: map[string]string{"title": n.Message.Title, "description": n.Message.Body},
	}
	for name, text := range a.Annotations {
		main.Annotations[labelName(name)] = text
	}
	if len(n.Message.Links) > 0 {
		main.Generator = n.Message.Links[0].URL
	}
	if n.Kind == channel.Resolved {
		main.EndsAt = end(a.From, a.To)
	}
	out := []alert{main}
	if n.Kind == channel.Updated || n.Kind == channel.Resolved {
		for _, lower := range event.Severities() {
			if lower == a.Severity {
				break
			}
			out = append(out, alert{Labels: c.labels(&a, lower), StartsAt: a.From.UTC(), EndsAt: end(a.From, a.Time)})
		}
	}
	return out
}

// end keeps an end behind its start, as Alertmanager refuses anything else.
func end(from, to time.Time) time.Time {
	if !to.After(from) {
		to = from.Add(time.Millisecond)
	}
	return to.UTC()
}

func (c *Cluster) labels(a *event.Alert, severity string) map[string]string {
	l := map[string]string{"alertname": a.RuleID, "severity": severity, "rule_name": cmp.Or(a.RuleName, a.RuleID)}
	for name, value := range a.Labels {
		l[labelName(name)] = value
	}
	for _, p := range a.Key {
		l[labelName(p.Field)] = p.Value
	}
	maps.Copy(l, c.cfg.Labels)
	for name, value := range l {
		if value == "" {
			delete(l, name) // an empty label is none
		} else {
			l[name] = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	return l
}

// labelName makes a name that every version of Alertmanager takes: client.ip becomes client_ip.
func labelName(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	return cmp.Or(b.String(), "_")
}
