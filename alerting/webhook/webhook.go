// Package webhook notifies any program by an HTTP POST of JSON.
//
// The body holds the notification and the whole alert line, and is the same, byte for byte, in every attempt. The
// headers Idempotency-Key and X-Imwatch-Signature let the receiver recognise a repeat and know who is speaking.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
	"imwatch/event"
)

// Hook is one target. Safe for concurrent use.
type Hook struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// New makes a hook. client nil: one of its own, which refuses private addresses unless they are allowed; a given
// client is used as it is. now nil: time.Now.
func New(cfg Config, client *http.Client, now func() time.Time) (*Hook, error) {
	client, err := cfg.Client(client, cfg.AllowPrivate)
	if err != nil {
		return nil, fmt.Errorf("making the webhook's client: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &Hook{cfg, client, now}, nil
}

// Close gives idle connections back.
func (h *Hook) Close() { h.client.CloseIdleConnections() }

// payload is the body.
type payload struct {
	ID       string          `json:"id"` // of the notification
	Kind     channel.Kind    `json:"kind"`
	Receiver string          `json:"receiver"`
	Title    string          `json:"title"`
	Text     string          `json:"text"`
	Alert    json.RawMessage `json:"alert"` // the alert line
}

// cloudEvent is the body in the structured mode of CloudEvents 1.0.
type cloudEvent struct {
	Version     string  `json:"specversion"`
	ID          string  `json:"id"`
	Source      string  `json:"source"`
	Type        string  `json:"type"`
	Subject     string  `json:"subject"`
	Time        string  `json:"time"`
	ContentType string  `json:"datacontenttype"`
	Data        payload `json:"data"`
}

// body makes the body, the same for every attempt, and its content type.
func (h *Hook) body(n channel.Notification) (body []byte, contentType string, err error) {
	p := payload{n.ID, n.Kind, n.Receiver, n.Message.Title, n.Message.Body, n.Line}
	if h.cfg.Format != CloudEvents {
		body, err = json.Marshal(p)
		return body, "application/json", err
	}
	body, err = json.Marshal(cloudEvent{
		"1.0", n.ID, h.cfg.Source, "org.imwatch.alert." + string(n.Kind), n.Alert.ID, event.FormatTime(n.Alert.Time), "application/json", p,
	})
	return body, "application/cloudevents+json; charset=UTF-8", err
}

// Send makes one attempt.
func (h *Hook) Send(ctx context.Context, n channel.Notification) channel.Result {
	body, contentType, err := h.body(n)
	if err != nil {
		return channel.Refuse("encoding the message: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return channel.Refuse("the webhook's url is not one")
	}
	for name, value := range h.cfg.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Idempotency-Key", n.ID)
	if h.cfg.Authorization != "" {
		req.Header.Set("Authorization", h.cfg.Authorization)
	}
	if h.cfg.Secret != "" {
		req.Header.Set(SignatureHeader, Sign(h.cfg.Secret, h.now(), body))
	}
	answer, err := egress.Do(ctx, h.client, req)
	if err != nil {
		return egress.Failed(err)
	}
	answer = answer.Without(h.cfg.Secret, h.cfg.Authorization)
	if result, ok := egress.ByStatus(answer, h.now()); ok {
		return result
	}
	return channel.Accept(fmt.Sprintf("HTTP %d: %s", answer.Status, answer.Body))
}
