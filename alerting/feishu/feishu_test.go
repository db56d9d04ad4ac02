package feishu_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/feishu"
	"imwatch/event"
)

func start(t *testing.T, change func(*feishu.Config)) (*robot.Robot, *feishu.Robot) {
	t.Helper()
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	cfg := feishu.DefaultConfig()
	cfg.URL, cfg.Secret = r.FeishuURL(), robot.FeishuSecret
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate("feishu"); err != nil {
		t.Fatal(err)
	}
	c, err := feishu.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return r, c
}

func note(kind channel.Kind, severity string) channel.Notification {
	return channel.Notification{
		ID: "n1", Kind: kind, Alert: event.Alert{Severity: severity, State: string(kind)},
		Message: channel.Message{Title: "title", Body: "body", Links: []channel.Link{{Name: "控制台", URL: "https://c.example/1"}, {Name: "日志", URL: "https://k.example/2"}}},
	}
}

func TestSign(t *testing.T) {
	// Made with another implementation of HMAC-SHA256.
	if got := feishu.Sign("secret", "1599360473"); got != "q4jswNiMy51J5JuQV566yJat0/lQ/c+22kINzUgKsGU=" {
		t.Error(got)
	}
}

func TestCard(t *testing.T) {
	r, c := start(t, func(c *feishu.Config) { c.Mention = []string{"ou_1", "all"} })
	colours := map[string]string{}
	for _, n := range []channel.Notification{note(channel.Firing, "critical"), note(channel.Firing, "high"), note(channel.Repeat, "warn"), note(channel.Resolved, "critical")} {
		if got := c.Send(t.Context(), n); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
		ms := r.Received()
		var m struct {
			Type string `json:"msg_type"`
			Card struct {
				Header   struct{ Template string }
				Elements []struct {
					Tag     string
					Text    struct{ Content string }
					Actions []struct{ URL, Type string }
				}
			}
		}
		if err := json.Unmarshal(ms[len(ms)-1].Body, &m); err != nil {
			t.Fatal(err)
		}
		colours[string(n.Kind)+" "+n.Alert.Severity] = m.Card.Header.Template
		if len(m.Card.Elements) != 2 || len(m.Card.Elements[1].Actions) != 2 || m.Card.Elements[1].Actions[0].URL != "https://c.example/1" {
			t.Errorf("%+v", m.Card)
		}
		if loud := strings.Contains(m.Card.Elements[0].Text.Content, "<at id=ou_1></at><at id=all></at>"); loud != n.Loud() {
			t.Errorf("%s mentions: %v", n.Kind, loud)
		}
	}
	want := map[string]string{"firing critical": "red", "firing high": "orange", "repeat warn": "yellow", "resolved critical": "green"}
	for k, v := range want {
		if colours[k] != v {
			t.Errorf("%s is %s, want %s", k, colours[k], v)
		}
	}
}

func TestTextCannotMention(t *testing.T) {
	r, c := start(t, func(c *feishu.Config) { c.Format = feishu.Text })
	n := note(channel.Firing, "high")
	n.Message.Body = `<at user_id="all"></at>`
	c.Send(t.Context(), n)
	if got := r.Received(); len(got) != 1 || strings.Contains(got[0].Text, "<at") {
		t.Errorf("%+v", got)
	}
}

func TestAnswers(t *testing.T) {
	r, c := start(t, nil)
	for body, want := range map[string]channel.Verdict{
		`{"code":0,"msg":"success"}`: channel.Accepted, `{"StatusCode":0,"StatusMessage":"success"}`: channel.Accepted,
		`{"code":9499,"msg":"Bad Request"}`: channel.Permanent, `{"code":9499,"msg":"too many request"}`: channel.Retry,
		`{"code":19022,"msg":"Ip Not Allowed"}`: channel.Permanent, `{"code":19021,"msg":"sign match fail"}`: channel.Permanent, `nonsense`: channel.Unanswered,
	} {
		r.Plan(robot.Feishu, robot.Answer{Body: body})
		if got := c.Send(t.Context(), note(channel.Firing, "high")); got.Verdict != want || want == channel.Retry && got.After < time.Minute {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// Five calls in a second are too many, however many a minute may have.
func TestBudgetKeepsBothLimits(t *testing.T) {
	_, c := start(t, func(c *feishu.Config) { c.PerMinute = 100 })
	if b := c.Budget(); b.Calls > 4 || b.Per < 2*time.Second {
		t.Errorf("%+v", b)
	}
}
