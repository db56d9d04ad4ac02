package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// What the providers' applications and robots ask for.
const (
	CorpID         = "ww0123456789"
	CorpSecret     = "corp-secret-0123456789"
	AgentID        = 1000002
	DingTalkToken  = "dingtalk-token-0123456789"
	DingTalkSecret = "SECdingtalk0123456789"
	FeishuHook     = "feishu-hook-0123456789"
	FeishuSecret   = "feishu-secret-0123456789"
	SlackHook      = "T0/B0/slack-hook-0123456789"
	RoutingKey     = "pagerduty-routing-key-012345"
)

// Secrets are all that a test must find nowhere.
func Secrets() []string {
	return []string{
		Key, CorpSecret, DingTalkToken, DingTalkSecret, FeishuHook, FeishuSecret, SlackHook, RoutingKey, AliyunSecret, TencentKey,
	}
}

// DingTalkURL is the robot's webhook, with its token.
func (r *Robot) DingTalkURL() string { return r.base + "/robot/send?access_token=" + DingTalkToken }

// FeishuURL is the robot's webhook.
func (r *Robot) FeishuURL() string { return r.base + "/open-apis/bot/v2/hook/" + FeishuHook }

// SlackURL is the incoming webhook.
func (r *Robot) SlackURL() string { return r.base + "/services/" + SlackHook }

// PagerDutyURL is where events go.
func (r *Robot) PagerDutyURL() string { return r.base + "/v2/enqueue" }

func (r *Robot) getToken(q *http.Request, _ *Message) Answer {
	if q.URL.Query().Get("corpid") != CorpID {
		return code(40013, "invalid corpid")
	}
	if q.URL.Query().Get("corpsecret") != CorpSecret {
		return code(40001, "invalid credential")
	}
	if r.token == "" {
		r.tokens++
		r.token = fmt.Sprintf("token-%d", r.tokens)
	}
	body, _ := json.Marshal(map[string]any{"errcode": 0, "errmsg": "ok", "access_token": r.token, "expires_in": 7200})
	return Answer{Body: string(body)}
}

// wecomApp takes messages with the token that counts. The same message within the interval is taken and not shown.
func (r *Robot) wecomApp(q *http.Request, m *Message) Answer {
	if r.token == "" || q.URL.Query().Get("access_token") != r.token {
		return code(42001, "access_token expired")
	}
	var body struct {
		To       string                   `json:"touser"`
		Party    string                   `json:"toparty"`
		Type     string                   `json:"msgtype"`
		Agent    int                      `json:"agentid"`
		Markdown struct{ Content string } `json:"markdown"`
		Text     struct{ Content string } `json:"text"`
		Check    int                      `json:"enable_duplicate_check"`
		Interval int                      `json:"duplicate_check_interval"`
	}
	if json.Unmarshal(m.Body, &body) != nil || body.Agent != AgentID || body.To+body.Party == "" {
		return code(40058, "invalid arguments")
	}
	if m.Text = body.Markdown.Content; body.Type == "text" {
		m.Text = body.Text.Content
	}
	if m.Text == "" || len(m.Text) > maxText || !utf8.ValidString(m.Text) {
		return code(40058, "content exceed max length")
	}
	m.To = body.To
	a := code(0, "ok")
	if a.Accept = !m.At.Before(r.shown[string(m.Body)]); a.Accept && body.Check == 1 {
		r.shown[string(m.Body)] = m.At.Add(time.Duration(body.Interval) * time.Second)
	}
	return a
}

// skewed says whether a time is further from the provider's than it takes.
func (r *Robot) skewed(seconds int64, at time.Time, allowed time.Duration) bool {
	return r.now(at).Sub(time.Unix(seconds, 0)).Abs() > allowed
}

func (r *Robot) dingTalk(q *http.Request, m *Message) Answer {
	v := q.URL.Query()
	if v.Get("access_token") != DingTalkToken {
		return code(300005, "token is not exist")
	}
	if m.At.Before(r.locked[DingTalk]) {
		return code(130101, "send too fast, exceed 20 times per minute")
	}
	ms, err := strconv.ParseInt(v.Get("timestamp"), 10, 64)
	if err != nil || r.skewed(ms/1000, m.At, time.Hour) {
		return code(310000, "description:invalid timestamp")
	}
	h := hmac.New(sha256.New, []byte(DingTalkSecret))
	fmt.Fprintf(h, "%d\n%s", ms, DingTalkSecret)
	if v.Get("sign") != base64.StdEncoding.EncodeToString(h.Sum(nil)) {
		return code(310000, "description:sign not match")
	}
	var body struct {
		Type     string                       `json:"msgtype"`
		Markdown struct{ Title, Text string } `json:"markdown"`
		Text     struct{ Content string }     `json:"text"`
	}
	if json.Unmarshal(m.Body, &body) != nil || body.Type == "markdown" && body.Markdown.Title == "" {
		return code(400101, "invalid body")
	}
	if m.Text = body.Markdown.Text; body.Type == "text" {
		m.Text = body.Text.Content
	}
	if m.Text == "" || len(m.Body) > 20_000 || !utf8.Valid(m.Body) {
		return code(460101, "message too long")
	}
	if r.tooMany(DingTalk, m.At, perMinute) {
		r.locked[DingTalk] = m.At.Add(10 * time.Minute)
		return code(130101, "send too fast, exceed 20 times per minute")
	}
	a := code(0, "ok")
	a.Accept = true
	return a
}

func feishuCode(status, n int, words string) Answer {
	body, _ := json.Marshal(map[string]any{"code": n, "msg": words, "data": map[string]any{}})
	return Answer{Status: status, Body: string(body)}
}

func (r *Robot) feishu(_ *http.Request, m *Message) Answer {
	var body struct {
		Timestamp, Sign string
		Type            string                `json:"msg_type"`
		Content         struct{ Text string } `json:"content"`
		Card            struct {
			Elements []struct{ Text struct{ Content string } }
		} `json:"card"`
	}
	if json.Unmarshal(m.Body, &body) != nil {
		return feishuCode(http.StatusBadRequest, 9499, "Bad Request")
	}
	seconds, err := strconv.ParseInt(body.Timestamp, 10, 64)
	h := hmac.New(sha256.New, []byte(body.Timestamp+"\n"+FeishuSecret))
	if err != nil || r.skewed(seconds, m.At, time.Hour) || body.Sign != base64.StdEncoding.EncodeToString(h.Sum(nil)) {
		return feishuCode(0, 19021, "sign match fail or timestamp is not within one hour from current time")
	}
	if m.Text = body.Content.Text; body.Type == "interactive" {
		for _, e := range body.Card.Elements {
			m.Text += e.Text.Content
		}
	}
	if m.Text == "" || len(m.Body) > 20*1024 || !utf8.Valid(m.Body) {
		return feishuCode(http.StatusBadRequest, 19036, "request body too large")
	}
	if r.tooMany(Feishu, m.At, 100) {
		return feishuCode(http.StatusBadRequest, 11232, "create message trigger rate limit")
	}
	a := feishuCode(0, 0, "success")
	a.Accept = true
	return a
}

func (r *Robot) slack(_ *http.Request, m *Message) Answer {
	var body struct {
		Text        string
		Attachments []struct {
			Blocks []struct{ Text struct{ Text string } }
		}
	}
	if json.Unmarshal(m.Body, &body) != nil || body.Text == "" {
		return Answer{Status: http.StatusBadRequest, Body: "invalid_payload"}
	}
	m.Text = body.Text
	for _, a := range body.Attachments {
		for _, b := range a.Blocks {
			m.Text += "\n" + b.Text.Text
			if utf8.RuneCountInString(b.Text.Text) > 3000 {
				return Answer{Status: http.StatusBadRequest, Body: "invalid_blocks"}
			}
		}
	}
	return Answer{Body: "ok", Accept: true}
}

func (r *Robot) pagerDuty(_ *http.Request, m *Message) Answer {
	invalid := func(words string) Answer {
		return Answer{Status: http.StatusBadRequest, Body: `{"status":"invalid event","message":"Event object is invalid","errors":["` + words + `"]}`}
	}
	var body struct {
		Key     string `json:"routing_key"`
		Action  string `json:"event_action"`
		Dedup   string `json:"dedup_key"`
		Payload struct{ Summary, Source, Severity string }
	}
	switch err := json.Unmarshal(m.Body, &body); {
	case err != nil, len(m.Body) > 512_000:
		return invalid("body")
	case body.Key != RoutingKey:
		return invalid("routing_key")
	case body.Dedup == "" || body.Action != "trigger" && body.Action != "resolve":
		return invalid("event_action")
	case body.Action == "trigger" && (body.Payload.Summary == "" || utf8.RuneCountInString(body.Payload.Summary) > 1024 || body.Payload.Source == ""):
		return invalid("payload.summary")
	}
	m.Text, m.To = body.Action+" "+body.Payload.Severity+" "+body.Payload.Summary, body.Dedup
	return Answer{Status: http.StatusAccepted, Body: `{"status":"success","message":"Event processed","dedup_key":"` + body.Dedup + `"}`, Accept: true}
}

func (r *Robot) alertmanager(_ *http.Request, m *Message) Answer {
	var body []struct {
		Labels           map[string]string
		Annotations      map[string]string
		StartsAt, EndsAt time.Time
	}
	if json.Unmarshal(m.Body, &body) != nil || len(body) == 0 {
		return Answer{Status: http.StatusBadRequest, Body: `"bad request"`}
	}
	for _, a := range body {
		if a.Labels["alertname"] == "" || !a.EndsAt.After(a.StartsAt) {
			return Answer{Status: http.StatusBadRequest, Body: `"start time must be before end time"`}
		}
	}
	m.Text = body[0].Annotations["description"]
	return Answer{Accept: true}
}
