package alerting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"imwatch/alerting"
	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/alertmanager"
	"imwatch/alerting/aliyun"
	"imwatch/alerting/dingtalk"
	"imwatch/alerting/feishu"
	"imwatch/alerting/pagerduty"
	"imwatch/alerting/route"
	"imwatch/alerting/slack"
	"imwatch/alerting/sms"
	"imwatch/alerting/tencent"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/alerting/wecomapp"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// wire carries calls to a robot without a network, so that they take place in fake time.
type wire struct{ robot http.Handler }

func (w wire) RoundTrip(q *http.Request) (*http.Response, error) {
	body := []byte(nil)
	if q.Body != nil {
		var err error
		if body, err = io.ReadAll(q.Body); err != nil {
			return nil, err
		}
	}
	in := q.Clone(q.Context())
	in.Body, in.Host = io.NopCloser(bytes.NewReader(body)), q.URL.Host
	rec, cut := httptest.NewRecorder(), make(chan any, 1)
	go func() {
		defer func() { cut <- recover() }()
		w.robot.ServeHTTP(rec, in)
	}()
	if gone := <-cut; gone != nil {
		return nil, fmt.Errorf("the connection was cut: %w", context.Cause(q.Context()))
	}
	return rec.Result(), nil
}

// provider is how one channel is configured to call the robot, and how its provider says things.
type provider struct {
	name  robot.Provider
	set   func(*alerting.Receiver, *robot.Robot)
	to    int          // addresses, each told by a call of its own
	busy  robot.Answer // HTTP as usual, and a code that means later
	never robot.Answer // and one that means never
	// same says that the provider recognises what it has got already: a repeat after a lost answer does no harm.
	same func(robot.Message) string
	// signed says that calls carry a time, and so fail where the clock is wrong.
	signed bool
	// limit is the most bytes of text that it takes; 0: no limit that a long alert passes.
	limit int
}

func jsonAnswer(status int, body string) robot.Answer {
	return robot.Answer{Status: status, Body: body}
}

func byKey(m robot.Message) string { return m.Header.Get("Idempotency-Key") }

func providers() map[string]provider {
	numbers := []string{"+8613800000001", "+8613800000002"}
	aliyunConfig := func(r *robot.Robot) *aliyun.Config {
		c := aliyun.DefaultConfig()
		c.URL, c.AccessKeyID, c.AccessKeySecret, c.Numbers = r.AliyunURL(), robot.AliyunID, robot.AliyunSecret, numbers
		c.SignName, c.Template, c.Params = "imwatch", "SMS_1", map[string]string{"rule": "{{.Rule}}", "key": "{{.Key}}"}
		return &c
	}
	tencentConfig := func(r *robot.Robot) *tencent.Config {
		c := tencent.DefaultConfig()
		c.URL, c.SecretID, c.SecretKey, c.Numbers = r.TencentURL(), robot.TencentID, robot.TencentKey, numbers
		c.AppID, c.SignName, c.Template, c.Params = "1400000000", "imwatch", "1", []string{"{{.Rule}}", "{{.Key}}"}
		return &c
	}
	tencentStatus := func(code string) robot.Answer {
		return jsonAnswer(200, `{"Response":{"SendStatusSet":[{"Code":"`+code+`","Message":"m"}],"RequestId":"x"}}`)
	}
	tencentError := func(code string) robot.Answer {
		return jsonAnswer(200, `{"Response":{"Error":{"Code":"`+code+`","Message":"m"},"RequestId":"x"}}`)
	}
	return map[string]provider{
		"wecom": {
			name: robot.WeCom, to: 1, limit: wecom.MaxMarkdown,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := wecom.DefaultConfig()
				c.URL = r.URL()
				rec.WeCom = &c
			},
			busy: jsonAnswer(200, `{"errcode":45009,"errmsg":"api freq out of limit"}`), never: jsonAnswer(200, `{"errcode":93000,"errmsg":"invalid webhook url"}`),
		},
		"wecom card": {
			name: robot.WeCom, to: 1,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := wecom.DefaultConfig()
				c.URL, c.Format, c.CardURL = r.URL(), wecom.TemplateCard, "https://watch.example.org"
				rec.WeCom = &c
			},
			busy: jsonAnswer(200, `{"errcode":-1,"errmsg":"system busy"}`), never: jsonAnswer(200, `{"errcode":42014,"errmsg":"invalid template_card"}`),
		},
		"wecom_app": {
			name: robot.WeComApp, to: 1, limit: 2048,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := wecomapp.DefaultConfig()
				c.URL, c.CorpID, c.Secret, c.AgentID, c.Users = r.Address(), robot.CorpID, robot.CorpSecret, robot.AgentID, []string{"alice", "bob"}
				rec.WeComApp = &c
			},
			busy: jsonAnswer(200, `{"errcode":45009,"errmsg":"api freq out of limit"}`), never: jsonAnswer(200, `{"errcode":81013,"errmsg":"all invalid"}`),
			same: func(m robot.Message) string { return string(m.Body) },
		},
		"dingtalk": {
			name: robot.DingTalk, to: 1, signed: true, limit: 8_000,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := dingtalk.DefaultConfig()
				c.URL, c.Secret = r.DingTalkURL(), robot.DingTalkSecret
				rec.DingTalk = &c
			},
			busy: jsonAnswer(200, `{"errcode":130101,"errmsg":"send too fast"}`), never: jsonAnswer(200, `{"errcode":310000,"errmsg":"description:关键词不匹配"}`),
		},
		"feishu": {
			name: robot.Feishu, to: 1, signed: true, limit: 8_000,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := feishu.DefaultConfig()
				c.URL, c.Secret = r.FeishuURL(), robot.FeishuSecret
				rec.Feishu = &c
			},
			busy: jsonAnswer(400, `{"code":11232,"msg":"create message trigger rate limit"}`), never: jsonAnswer(200, `{"code":19024,"msg":"Key Words Not Found"}`),
		},
		"slack": {
			name: robot.Slack, to: 1, limit: 4_000,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := slack.DefaultConfig()
				c.URL = r.SlackURL()
				rec.Slack = &c
			},
			busy: jsonAnswer(503, "service_unavailable"), never: jsonAnswer(404, "no_service"),
		},
		"pagerduty": {
			name: robot.PagerDuty, to: 1,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := pagerduty.DefaultConfig()
				c.URL, c.RoutingKey = r.PagerDutyURL(), robot.RoutingKey
				rec.PagerDuty = &c
			},
			busy: jsonAnswer(500, "oops"), never: jsonAnswer(400, `{"status":"invalid event","message":"Event object is invalid"}`),
			same: func(m robot.Message) string { return m.To },
		},
		"alertmanager": {
			name: robot.Alertmanager, to: 1,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := alertmanager.DefaultConfig()
				c.URLs = []string{r.Address()}
				rec.Alertmanager = &c
			},
			busy: jsonAnswer(503, "starting"), never: jsonAnswer(400, `"bad request"`),
			same: func(robot.Message) string { return "" }, // by its labels
		},
		"webhook": {
			name: robot.Webhook, to: 1,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := webhook.DefaultConfig()
				c.URL, c.Format = r.WebhookURL(), webhook.CloudEvents
				rec.Webhook = &c
			},
			busy: jsonAnswer(502, "bad gateway"), never: jsonAnswer(410, "gone"), same: byKey,
		},
		"sms": {
			name: robot.SMS, to: 2,
			set: func(rec *alerting.Receiver, r *robot.Robot) {
				c := sms.DefaultConfig()
				c.URL, c.Numbers, c.Form = r.SMSURL(), numbers, map[string]string{"to": "{{.Number}}", "text": "{{.Text}}"}
				c.Success, c.RetryWhen = `code == "OK"`, `code == "isv.BUSINESS_LIMIT_CONTROL"`
				rec.SMS = &c
			},
			busy: jsonAnswer(200, `{"code":"isv.BUSINESS_LIMIT_CONTROL"}`), never: jsonAnswer(200, `{"code":"isv.MOBILE_NUMBER_ILLEGAL"}`), same: byKey,
		},
		"aliyun_sms": {
			name: robot.Aliyun, to: 2, signed: true, set: func(rec *alerting.Receiver, r *robot.Robot) { rec.AliyunSMS = aliyunConfig(r) },
			busy: jsonAnswer(200, `{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"触发分钟级流控"}`), never: jsonAnswer(200, `{"Code":"isv.SMS_SIGNATURE_ILLEGAL","Message":"m"}`),
		},
		"aliyun_voice": {
			name: robot.Aliyun, to: 2, signed: true, set: func(rec *alerting.Receiver, r *robot.Robot) { rec.AliyunVoice = aliyunConfig(r) },
			busy: jsonAnswer(400, `{"Code":"Throttling.User","Message":"m"}`), never: jsonAnswer(403, `{"Code":"Forbidden.RAM","Message":"m"}`),
		},
		"tencent_sms": {
			name: robot.Tencent, to: 2, signed: true, set: func(rec *alerting.Receiver, r *robot.Robot) { rec.TencentSMS = tencentConfig(r) },
			busy: tencentStatus("LimitExceeded.PhoneNumberThirtySecondLimit"), never: tencentStatus("FailedOperation.SignatureIncorrectOrUnapproved"),
		},
		"tencent_voice": {
			name: robot.Tencent, to: 2, signed: true, set: func(rec *alerting.Receiver, r *robot.Robot) { rec.TencentVoice = tencentConfig(r) },
			busy: tencentError("RequestLimitExceeded"), never: tencentError("UnauthorizedOperation.VoiceSdkAppidIsDisabled"),
		},
	}
}

// trouble is what a provider does to the first calls, and what must come of it.
type trouble struct {
	only  func(provider) bool
	plan  func(provider, *robot.Robot)
	state string // of the ledger's entry, at last
	// verdicts are those that may stand there.
	verdict string
	extra   int // messages that are accepted once more: an answer was lost
	alert   func(*event.Alert)
}

func troubles() map[string]trouble {
	planned := func(answers ...robot.Answer) func(provider, *robot.Robot) {
		return func(p provider, r *robot.Robot) { r.Plan(p.name, answers...) }
	}
	return map[string]trouble{
		"none":                    {plan: planned(), state: "sent", verdict: "accepted"},
		"a code that means later": {plan: func(p provider, r *robot.Robot) { r.Plan(p.name, p.busy, p.busy) }, state: "sent", verdict: "accepted"},
		"a code that means never": {plan: func(p provider, r *robot.Robot) {
			r.Plan(p.name, slices.Repeat([]robot.Answer{p.never}, p.to)...)
		}, state: "failed", verdict: "permanent"},
		"429 with Retry-After": {
			plan:  planned(robot.Answer{Status: 429, Header: map[string]string{"Retry-After": "90"}}),
			state: "sent", verdict: "accepted",
		},
		"429 without Retry-After":    {plan: planned(robot.Answer{Status: 429, Body: "slow down"}), state: "sent", verdict: "accepted"},
		"no answer after acceptance": {plan: planned(robot.Answer{Accept: true, Hang: true}), state: "sent", verdict: "accepted", extra: 1},
		"half accepted": {
			only: func(p provider) bool { return p.to == 2 },
			plan: func(p provider, r *robot.Robot) { r.Plan(p.name, p.busy) }, state: "sent", verdict: "accepted",
		},
		"one of two refused": {
			only: func(p provider) bool { return p.to == 2 },
			plan: func(p provider, r *robot.Robot) { r.Plan(p.name, p.never) }, state: "sent", verdict: "partial", extra: -1,
		},
		"a member who is none": {
			only:  func(p provider) bool { return p.name == robot.WeComApp },
			plan:  planned(robot.Answer{Accept: true, Body: `{"errcode":0,"errmsg":"ok","invaliduser":"bob"}`}),
			state: "sent", verdict: "partial",
		},
		"a token that has ended": {
			only:  func(p provider) bool { return p.name == robot.WeComApp },
			plan:  planned(jsonAnswer(200, `{"errcode":40014,"errmsg":"invalid access_token"}`)),
			state: "sent", verdict: "accepted",
		},
		"a token that never lasts": {
			only: func(p provider) bool { return p.name == robot.WeComApp },
			plan: planned(slices.Repeat([]robot.Answer{jsonAnswer(200, `{"errcode":42001,"errmsg":"access_token expired"}`)}, 5)...), state: "sent", verdict: "accepted",
		},
		"a clock that is two hours off": {
			only: func(p provider) bool { return p.signed },
			plan: func(_ provider, r *robot.Robot) { r.Skew(2 * time.Hour) }, state: "sent", verdict: "accepted",
		},
		"an alert too long for anybody": {
			plan: planned(), state: "sent", verdict: "accepted",
			alert: func(a *event.Alert) {
				a.Annotations = map[string]string{"summary": strings.Repeat("节点握手失败🔥<@all>", 3000)}
				a.RuleName = strings.Repeat("规则", 800)
			},
		},
		"an answer of somebody else": {
			only: func(p provider) bool {
				return p.name != robot.SMS && p.name != robot.Webhook && p.name != robot.Alertmanager
			}, // where 2xx is not enough
			plan: planned(jsonAnswer(200, "<html>login</html>")), state: "sent", verdict: "accepted",
		},
	}
}

// TestEveryChannelInEveryTrouble plays each provider in each trouble, in fake time, and demands an exact ledger: what was
// accepted is sent, and nothing accepted is sent again but where the provider could not say that it had accepted it.
func TestEveryChannelInEveryTrouble(t *testing.T) {
	for name, p := range providers() {
		for what, tr := range troubles() {
			if tr.only == nil || tr.only(p) {
				t.Run(name+"/"+what, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { playTrouble(t, p, tr) }) })
			}
		}
	}
}

func playTrouble(t *testing.T, p provider, tr trouble) {
	t.Helper()
	r, play := newRig(t), robot.Play()
	rec := alerting.NewReceiver("team")
	p.set(&rec, play)
	r.cfg.Receivers, r.cfg.Route = []alerting.Receiver{rec}, route.Config{Receivers: []string{"team"}}
	if err := r.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	log := logrus.New()
	log.SetOutput(&logs)
	log.SetLevel(logrus.TraceLevel)
	a, err := alerting.New(r.cfg, alerting.Deps{Bus: r.bus, Store: r.store, Log: log, HTTP: &http.Client{Transport: wire{play}}})
	if err != nil {
		t.Fatal(err)
	}
	tr.plan(p, play)
	al := state("a", event.StateFiring, time.Now().UTC(), 0)
	if tr.alert != nil {
		tr.alert(al)
	}
	r.produce(al)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	pass(30 * time.Minute)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkTrouble(t, r, play, p, tr)
	everything := logs.String()
	for _, doc := range r.store.all("*") {
		everything += string(doc)
	}
	for _, secret := range append(robot.Secrets(), "13800000001", "13800000002", "token-1", "token-2") {
		if strings.Contains(everything, secret) {
			t.Errorf("%s stands in a log or in the store", secret)
		}
	}
}

func checkTrouble(t *testing.T, r *rig, play *robot.Robot, p provider, tr trouble) {
	t.Helper()
	for _, doc := range r.store.all("im-notify-*") {
		var d struct {
			IM struct {
				Notify struct {
					State, Verdict, Answer string
					Took                   []string
				}
			} `json:"im"`
		}
		if err := json.Unmarshal(doc, &d); err != nil {
			t.Fatal(err)
		}
		if n := d.IM.Notify; n.State != tr.state || n.Verdict != tr.verdict || n.Answer == "" {
			t.Errorf("the ledger says %+v", n)
		}
	}
	accepted, seen := map[string]int{}, 0
	for _, m := range play.Received() {
		if accepted[m.To]++; p.limit > 0 && len(m.Text) > p.limit {
			t.Errorf("%d bytes of text, %d are allowed", len(m.Text), p.limit)
		}
		seen++
	}
	want := p.to + tr.extra
	if tr.state == "failed" {
		want = 0
	}
	if tr.extra > 0 && p.name == robot.WeComApp {
		want-- // WeCom does not show the same message again
	}
	if seen != want {
		t.Errorf("%d messages accepted (%v), expected %d", seen, accepted, want)
	}
	if tr.extra > 0 && p.same != nil {
		ids := map[string]bool{}
		for _, m := range play.Received() {
			ids[p.same(m)] = true
		}
		if len(ids) != p.to {
			t.Errorf("the provider cannot tell that it is the same: %v", slices.Collect(maps.Keys(ids)))
		}
	}
}

// TestTokenIsFetchedOnce lets many notifications go out with one token, which is renewed when its time has come.
func TestTokenIsFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		play := robot.Play()
		c := wecomapp.DefaultConfig()
		c.URL, c.CorpID, c.Secret, c.AgentID, c.Users = play.Address(), robot.CorpID, robot.CorpSecret, robot.AgentID, []string{"@all"}
		app, err := wecomapp.New(c, &http.Client{Transport: wire{play}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for range 3 {
			for range 10 {
				if r := app.Send(t.Context(), notification("x")); r.Verdict.String() != "accepted" {
					t.Fatalf("%+v", r)
				}
			}
			got = append(got, play.Calls(robot.WeComToken))
			pass(2 * time.Hour)
		}
		if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
			t.Errorf("tokens fetched: -want +got\n%s", diff)
		}
	})
}

// answering is a provider that gives one answer to everything.
type answering struct {
	status int
	body   []byte
}

func (a answering) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Body != nil {
		_ = q.Body.Close() // nothing is read of it
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: q}, nil
}

// FuzzAnswers gives every channel any answer: none panics, none takes an error page for acceptance, and words are valid
// UTF-8 of bounded length.
func FuzzAnswers(f *testing.F) {
	for _, p := range providers() {
		f.Add(uint16(p.busy.Status), []byte(p.busy.Body))
		f.Add(uint16(p.never.Status), []byte(p.never.Body))
	}
	f.Add(uint16(200), []byte(`{"errcode":0,"code":0,"Code":"OK","status":"success","Response":{"SendStatusSet":[null]}}`))
	f.Add(uint16(200), []byte(`{"Response":null}`))
	play := robot.Play()
	f.Fuzz(func(t *testing.T, status uint16, body []byte) {
		for name, p := range providers() {
			rec := alerting.NewReceiver("team")
			p.set(&rec, play)
			ch, err := alerting.NewChannel(rec, &http.Client{Transport: answering{100 + int(status)%500, body}})
			if err != nil {
				t.Fatal(err)
			}
			got := ch.Send(t.Context(), notification("x"))
			if !utf8.ValidString(got.Words) || len(got.Words) > 400 {
				t.Errorf("%s: words of %d bytes: %q", name, len(got.Words), got.Words)
			}
			if took := got.Verdict.String() == "accepted" || got.Verdict.String() == "partial"; took && 100+int(status)%500 >= 300 {
				t.Errorf("%s takes HTTP %d for acceptance", name, 100+int(status)%500)
			}
		}
	})
}

// TestTimeoutOfAReceiver: an attempt lasts as long as the receiver's own time-out, not the stage's.
func TestTimeoutOfAReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, play := newRig(t), robot.Play()
		rec := alerting.NewReceiver("team")
		providers()["webhook"].set(&rec, play)
		rec.Timeout = 40 * time.Second
		r.cfg.Receivers, r.cfg.Route = []alerting.Receiver{rec}, route.Config{Receivers: []string{"team"}}
		log := logrus.New()
		log.SetOutput(io.Discard)
		a, err := alerting.New(r.cfg, alerting.Deps{Bus: r.bus, Store: r.store, Log: log, HTTP: &http.Client{Transport: wire{play}}})
		if err != nil {
			t.Fatal(err)
		}
		play.Plan(robot.Webhook, robot.Answer{Hang: true})
		r.produce(state("a", event.StateFiring, time.Now().UTC(), 0))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		pass(39 * time.Second)
		if n := play.Calls(robot.Webhook); n != 1 {
			t.Errorf("%d calls before the time-out", n)
		}
		pass(10 * time.Second)
		if n := len(play.Received()); n != 1 {
			t.Errorf("%d accepted after the time-out", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
