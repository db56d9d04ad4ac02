// Package aliyun tells people by SMS and by voice calls of Aliyun (阿里云), with requests signed by ACS3-HMAC-SHA256.
//
// Both speak texts that Aliyun has approved beforehand; what is told are their parameters. Each number is told by a call
// of its own, so that each has its own answer, and one that has accepted is not told again. What an answer means stands
// in its Code: "OK", or a word; the HTTP status says less.
package aliyun

import (
	"context"
	"crypto/rand"
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
	"imwatch/alerting/fill"
)

// Kind is how people are told.
type Kind string

// The kinds.
const (
	SMS   Kind = "sms"
	Voice Kind = "voice"
)

// version is that of both services' interfaces.
const version = "2017-05-25"

// Sender sends SMS or calls. Safe for concurrent use.
type Sender struct {
	cfg    Config
	kind   Kind
	params map[string]fill.Param
	client *http.Client
	clock  *egress.Clock
}

// New makes a sender. client nil: one of its own. now nil: time.Now.
func New(cfg Config, kind Kind, client *http.Client, now func() time.Time) (*Sender, error) {
	s := &Sender{cfg: cfg, kind: kind, params: map[string]fill.Param{}, client: client, clock: egress.NewClock(now)}
	var err error
	for name, text := range cfg.Params {
		if s.params[name], err = fill.Parse(text); err != nil {
			return nil, fmt.Errorf("params.%s: %w", name, err)
		}
	}
	if s.client, err = cfg.Client(client, true); err != nil {
		return nil, fmt.Errorf("making Aliyun's client: %w", err)
	}
	return s, nil
}

// Budgets gives what each number may be told. Several alerts can be told in one text, of so many characters.
func (s *Sender) Budgets() []channel.Budget {
	return s.cfg.Budgets("aliyun-"+string(s.kind), s.cfg.AccessKeyID, s.cfg.Numbers, s.cfg.MaxRunes)
}

// Close gives idle connections back.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt for each number that has not accepted yet.
func (s *Sender) Send(ctx context.Context, n channel.Notification) channel.Result {
	params, err := s.fill(n)
	if err != nil {
		return channel.Refuse("%v", err)
	}
	return channel.Each(n, s.cfg.Numbers, func(number string) channel.Result {
		return egress.Twice(func() channel.Result { return s.tell(ctx, number, params, n.ID) })
	})
}

func (s *Sender) fill(n channel.Notification) (string, error) {
	if len(s.params) == 0 {
		return "", nil
	}
	values := map[string]string{}
	for name, p := range s.params {
		v, err := p.Of(n, s.cfg.MaxRunes)
		if err != nil {
			return "", err
		}
		values[name] = v
	}
	b, err := egress.Encode(values)
	return string(b), err
}

func (s *Sender) query(number, params, id string) (action string, q url.Values) {
	number = strings.TrimPrefix(number, "+86")
	number = strings.TrimPrefix(number, "+")
	if s.kind == Voice {
		q = url.Values{
			"CalledNumber": {number}, "TtsCode": {s.cfg.Template}, "PlayTimes": {strconv.Itoa(s.cfg.PlayTimes)}, "OutId": {id[:min(15, len(id))]},
		}
		if s.cfg.ShowNumber != "" {
			q.Set("CalledShowNumber", s.cfg.ShowNumber)
		}
		if params != "" {
			q.Set("TtsParam", params)
		}
		return "SingleCallByTts", q
	}
	q = url.Values{"PhoneNumbers": {number}, "SignName": {s.cfg.SignName}, "TemplateCode": {s.cfg.Template}, "OutId": {id}}
	if params != "" {
		q.Set("TemplateParam", params)
	}
	return "SendSms", q
}

func (s *Sender) tell(ctx context.Context, number, params, id string) channel.Result {
	action, q := s.query(number, params, id)
	req, err := egress.Post(ctx, strings.TrimRight(s.cfg.address(s.kind), "/")+"/?"+encodeQuery(q), nil)
	if err != nil {
		return channel.Refuse("%v", err)
	}
	req.Header.Del("Content-Type")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Acs-Action", action)
	req.Header.Set("X-Acs-Version", version)
	req.Header.Set("X-Acs-Date", s.clock.Now().UTC().Format("2006-01-02T15:04:05Z"))
	req.Header.Set("X-Acs-Signature-Nonce", rand.Text())
	sign(req, s.cfg.AccessKeyID, s.cfg.AccessKeySecret, nil)
	answer, err := egress.Do(ctx, s.client, req)
	if err != nil {
		return egress.Failed(err)
	}
	return s.judge(answer.Without(number, strings.TrimPrefix(number, "+86"), s.cfg.AccessKeySecret))
}

// later are the codes that do not mean "never": limits by minute, hour and day, and trouble of the service.
func later() []string {
	return []string{"isv.BUSINESS_LIMIT_CONTROL", "isv.DAY_LIMIT_CONTROL", "isp.SYSTEM_ERROR", "isp.UNKNOWN", "ServiceUnavailable", "InternalError"}
}

func (s *Sender) judge(a egress.Answer) channel.Result {
	var answer struct{ Code, Message string }
	if json.Unmarshal(a.Body, &answer) != nil || answer.Code == "" {
		if result, ok := egress.ByStatus(a, s.clock.Own()); ok {
			return result
		}
		return channel.NoAnswer("HTTP %d without a Code: %s", a.Status, a.Body)
	}
	switch {
	case answer.Code == "OK":
		return channel.Accept("OK")
	case strings.HasPrefix(answer.Code, "InvalidTimeStamp") && s.clock.Learn(a):
		return channel.Renew("%s: this machine's clock is wrong, Aliyun's time is used", answer.Code)
	case slices.Contains(later(), answer.Code), strings.HasPrefix(answer.Code, "Throttling"), a.Status >= 500, a.Status == http.StatusTooManyRequests:
		return channel.TryLater(egress.RetryAfter(a.Header, s.clock.Own()), "%s: %s", answer.Code, answer.Message)
	}
	return channel.Refuse("%s: %s", answer.Code, answer.Message)
}
