// Package tencent tells people by SMS and by voice calls of Tencent Cloud (腾讯云), with requests signed by
// TC3-HMAC-SHA256.
//
// Both speak texts that Tencent has approved beforehand; what is told are their parameters. Each number is told by a
// call of its own, so that each has its own answer, and one that has accepted is not told again. The answer is always
// HTTP 200: an Error, or for an SMS a Code for the number.
package tencent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
	"imwatch/alerting/fill"
)

// Kind is how people are told.
type Kind string

// The kinds.
const (
	SMS   Kind = "sms"
	Voice Kind = "voice"
)

// Sender sends SMS or calls. Safe for concurrent use.
type Sender struct {
	cfg    Config
	kind   Kind
	params []fill.Param
	client *http.Client
	clock  *egress.Clock
}

// New makes a sender. client nil: one of its own. now nil: time.Now.
func New(cfg Config, kind Kind, client *http.Client, now func() time.Time) (*Sender, error) {
	s := &Sender{cfg: cfg, kind: kind, client: client, clock: egress.NewClock(now)}
	for i, text := range cfg.Params {
		p, err := fill.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("params[%d]: %w", i, err)
		}
		s.params = append(s.params, p)
	}
	var err error
	if s.client, err = cfg.Client(client, true); err != nil {
		return nil, fmt.Errorf("making Tencent Cloud's client: %w", err)
	}
	return s, nil
}

// Budgets gives what each number may be told. Several alerts can be told in one text, of so many characters.
func (s *Sender) Budgets() []channel.Budget {
	return s.cfg.Budgets("tencent-"+string(s.kind), s.cfg.AppID, s.cfg.Numbers, s.cfg.MaxRunes)
}

// Close gives idle connections back.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

type smsRequest struct {
	Numbers  []string `json:"PhoneNumberSet"`
	App      string   `json:"SmsSdkAppId"`
	SignName string   `json:"SignName"`
	Template string   `json:"TemplateId"`
	Params   []string `json:"TemplateParamSet"`
	Context  string   `json:"SessionContext"`
}

type voiceRequest struct {
	Number   string   `json:"CalledNumber"`
	App      string   `json:"VoiceSdkAppid"`
	Template string   `json:"TemplateId"`
	Params   []string `json:"TemplateParamSet"`
	Times    int      `json:"PlayTimes"`
	Context  string   `json:"SessionContext"`
}

// Send makes one attempt for each number that has not accepted yet.
func (s *Sender) Send(ctx context.Context, n channel.Notification) channel.Result {
	params := make([]string, len(s.params))
	for i, p := range s.params {
		var err error
		if params[i], err = p.Of(n, s.cfg.MaxRunes); err != nil {
			return channel.Refuse("%v", err)
		}
	}
	return channel.Each(n, s.cfg.Numbers, func(number string) channel.Result {
		return egress.Twice(func() channel.Result { return s.tell(ctx, number, params, n.ID) })
	})
}

func (s *Sender) tell(ctx context.Context, number string, params []string, id string) channel.Result {
	var v any = smsRequest{[]string{number}, s.cfg.AppID, s.cfg.SignName, s.cfg.Template, params, id}
	service, action, version := "sms", "SendSms", "2021-01-11"
	if s.kind == Voice {
		service, action, version = "vms", "SendTtsVoice", "2020-09-02"
		v = voiceRequest{number, s.cfg.AppID, s.cfg.Template, params, s.cfg.PlayTimes, id}
	}
	body, err := egress.Encode(v)
	if err != nil {
		return channel.Refuse("%v", err)
	}
	req, err := egress.Post(ctx, strings.TrimRight(s.cfg.address(s.kind), "/")+"/", body)
	if err != nil {
		return channel.Refuse("%v", err)
	}
	req.Header.Set("X-Tc-Action", action)
	req.Header.Set("X-Tc-Version", version)
	req.Header.Set("X-Tc-Region", s.cfg.Region)
	sign(req, service, s.cfg.SecretID, s.cfg.SecretKey, body, s.clock.Now())
	answer, err := egress.Do(ctx, s.client, req)
	if err != nil {
		return egress.Failed(err)
	}
	return s.judge(answer.Without(number, strings.TrimPrefix(number, "+86"), s.cfg.SecretKey))
}

func (s *Sender) judge(a egress.Answer) channel.Result {
	if result, ok := egress.ByStatus(a, s.clock.Own()); ok {
		return result
	}
	var answer struct {
		Response struct {
			Error  *struct{ Code, Message string }
			Status []struct{ Code, Message string } `json:"SendStatusSet"`
			Call   *struct{ CallID string }         `json:"SendStatus"`
		}
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		return channel.NoAnswer("HTTP 200 without a Response: %s", a.Body)
	}
	r := answer.Response
	switch {
	case r.Error != nil && strings.HasPrefix(r.Error.Code, "AuthFailure.SignatureExpire") && s.clock.Learn(a):
		return channel.Renew("%s: this machine's clock is wrong, Tencent's time is used", r.Error.Code)
	case r.Error != nil:
		return verdict(r.Error.Code, r.Error.Message)
	case s.kind == Voice && r.Call != nil && r.Call.CallID != "":
		return channel.Accept("call " + r.Call.CallID)
	case s.kind == SMS && len(r.Status) == 1 && r.Status[0].Code == "Ok":
		return channel.Accept("Ok")
	case s.kind == SMS && len(r.Status) == 1:
		return verdict(r.Status[0].Code, r.Status[0].Message)
	}
	return channel.NoAnswer("HTTP 200 without a status: %s", a.Body)
}

// verdict reads a code. Limits (by half a minute, hour and day) and trouble of the service pass.
func verdict(code, message string) channel.Result {
	for _, later := range []string{"LimitExceeded", "RequestLimitExceeded", "InternalError", "ResourceUnavailable"} {
		if strings.HasPrefix(code, later) {
			return channel.TryLater(0, "%s: %s", code, message)
		}
	}
	return channel.Refuse("%s: %s", code, message)
}
