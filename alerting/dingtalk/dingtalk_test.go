package dingtalk_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/dingtalk"
	"imwatch/event"
)

func start(t *testing.T, change func(*dingtalk.Config)) (*robot.Robot, *dingtalk.Robot) {
	t.Helper()
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	cfg := dingtalk.DefaultConfig()
	cfg.URL, cfg.Secret = r.DingTalkURL(), robot.DingTalkSecret
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate("dingtalk"); err != nil {
		t.Fatal(err)
	}
	c, err := dingtalk.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return r, c
}

func note() channel.Notification {
	return channel.Notification{
		ID: "n1", Kind: channel.Firing, Alert: event.Alert{Severity: "high", State: event.StateFiring},
		Message: channel.Message{Title: "title", Body: "body", Links: []channel.Link{{Name: "Console", URL: "https://c.example/1"}}},
	}
}

func TestSign(t *testing.T) {
	// Made with another implementation of HMAC-SHA256.
	if got := dingtalk.Sign("SECx", "1700000000000"); got != "rgcjbH+yFyES+S0llX+cAPCwVRpsr7sbiX5Lnyo/ocU=" {
		t.Error(got)
	}
}

// Each attempt has a signature of its own, and only one: those that pile up are refused once the first is too old.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	var seen []url.Values
	at := time.Unix(1_700_000_000, 0)
	cfg := dingtalk.DefaultConfig()
	cfg.URL, cfg.Secret = "http://robot.example/robot/send?access_token=x", "SECx"
	c, err := dingtalk.New(cfg, &http.Client{Transport: transport(func(q *http.Request) (*http.Response, error) {
		seen = append(seen, q.URL.Query())
		return nil, http.ErrHandlerTimeout
	})}, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.Send(t.Context(), note())
		at = at.Add(time.Hour)
	}
	for i, v := range seen {
		if len(v["timestamp"]) != 1 || len(v["sign"]) != 1 || i > 0 && v.Get("sign") == seen[i-1].Get("sign") {
			t.Errorf("call %d: %v", i, v)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestMentions(t *testing.T) {
	r, c := start(t, func(c *dingtalk.Config) { c.MentionMobiles, c.Mention = []string{"13800000000"}, []string{"u1"} })
	loud, over := note(), note()
	over.Kind = channel.Resolved
	loud.Message.Body = strings.Repeat("很长", 5000)
	for _, n := range []channel.Notification{loud, over} {
		if got := c.Send(t.Context(), n); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
	}
	var first struct {
		Markdown struct{ Text string }
		At       struct{ AtMobiles, AtUserIDs []string }
	}
	got := r.Received()
	if err := json.Unmarshal(got[0].Body, &first); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(first.Markdown.Text, " [Console](https://c.example/1)\n @13800000000 @u1") || len(first.At.AtMobiles) != 1 || len(first.At.AtUserIDs) != 1 {
		t.Errorf("…%s, %+v", first.Markdown.Text[len(first.Markdown.Text)-80:], first.At)
	}
	if strings.Contains(string(got[1].Body), "138") {
		t.Errorf("what is over mentions people: %s", got[1].Body)
	}
}

func TestLockoutAndKeyword(t *testing.T) {
	r, c := start(t, nil)
	r.Plan(robot.DingTalk, robot.Answer{Body: `{"errcode":130101,"errmsg":"send too fast"}`}, robot.Answer{Body: `{"errcode":310000,"errmsg":"keywords not in content"}`},
		robot.Answer{Body: `{"errcode":300005,"errmsg":"token ` + robot.DingTalkToken + ` is not exist"}`})
	if got := c.Send(t.Context(), note()); got.Verdict != channel.Retry || got.After != 10*time.Minute {
		t.Errorf("too often: %+v", got)
	}
	if got := c.Send(t.Context(), note()); got.Verdict != channel.Permanent {
		t.Errorf("a keyword: %+v", got)
	}
	if got := c.Send(t.Context(), note()); got.Verdict != channel.Permanent || strings.Contains(got.Words, robot.DingTalkToken) {
		t.Errorf("a token: %+v", got)
	}
}

func TestValidate(t *testing.T) {
	cfg := dingtalk.Config{URL: "x", Format: "markdwon", PerMinute: 0, Reserve: -1}
	err := cfg.Validate("receivers[0].dingtalk")
	for _, want := range []string{"receivers[0].dingtalk.url", "did you mean markdown?", "receivers[0].dingtalk.per_minute"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
