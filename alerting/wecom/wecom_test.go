package wecom_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/wecom"

	"pgregory.net/rapid"
)

func start(t *testing.T) *robot.Robot {
	t.Helper()
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func client(t *testing.T, url string, change func(*wecom.Config)) *wecom.Robot {
	t.Helper()
	cfg := wecom.DefaultConfig()
	cfg.URL = url
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate("wecom"); err != nil {
		t.Fatal(err)
	}
	c, err := wecom.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func note(body string) channel.Notification {
	return channel.Notification{ID: "n1", Kind: channel.Firing, Message: channel.Message{Title: "title", Body: body}}
}

func TestAnswers(t *testing.T) {
	r := start(t)
	c := client(t, r.URL(), nil)
	for _, tc := range []struct {
		name   string
		answer robot.Answer
		want   channel.Verdict
		after  time.Duration
		words  string
	}{
		{"ok", robot.Answer{Body: `{"errcode":0,"errmsg":"ok"}`}, channel.Accepted, 0, "errcode 0"},
		{"busy", robot.Answer{Body: `{"errcode":-1,"errmsg":"system busy"}`}, channel.Retry, 0, "system busy"},
		{"too often", robot.Answer{Body: `{"errcode":45009,"errmsg":"api freq out of limit"}`}, channel.Retry, time.Minute, "45009"},
		{"bad key", robot.Answer{Body: `{"errcode":93000,"errmsg":"invalid webhook url"}`}, channel.Permanent, 0, "93000"},
		{"bad arguments", robot.Answer{Body: `{"errcode":40058,"errmsg":"exceed max length"}`}, channel.Permanent, 0, "40058"},
		{"server error", robot.Answer{Status: 502, Body: "bad gateway"}, channel.Retry, 0, "HTTP 502"},
		{"too many", robot.Answer{Status: 429, Header: map[string]string{"Retry-After": "7"}}, channel.Retry, 7 * time.Second, "HTTP 429"},
		{"a page of somebody else", robot.Answer{Body: "<html>login</html>"}, channel.Unanswered, 0, "without an errcode"},
		{"not found", robot.Answer{Status: 404}, channel.Permanent, 0, "HTTP 404"},
		{"redirect", robot.Answer{Status: 302, Header: map[string]string{"Location": "http://127.0.0.1:1/"}}, channel.Permanent, 0, "redirects"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.Plan(robot.WeCom, tc.answer)
			got := c.Send(t.Context(), note("hello"))
			if got.Verdict != tc.want || got.After != tc.after || !strings.Contains(got.Words, tc.words) {
				t.Errorf("got %+v, want %v after %v with %q", got, tc.want, tc.after, tc.words)
			}
		})
	}
}

func TestRobotRefusesTheTwentyFirst(t *testing.T) {
	r := start(t)
	c := client(t, r.URL(), nil)
	for i := range 21 {
		got := c.Send(t.Context(), note("hello"))
		if want := i < 20; (got.Verdict == channel.Accepted) != want {
			t.Errorf("call %d: %+v", i+1, got)
		}
	}
	if n := len(r.Received()); n != 20 {
		t.Errorf("%d accepted", n)
	}
}

func TestHangAfterAccept(t *testing.T) {
	r := start(t)
	r.Plan(robot.WeCom, robot.Answer{Accept: true, Hang: true})
	c := client(t, r.URL(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := c.Send(ctx, note("hello")); got.Verdict != channel.Unanswered {
		t.Errorf("got %+v", got)
	}
	if len(r.Received()) != 1 {
		t.Error("not accepted")
	}
}

func TestKeyIsInNoWords(t *testing.T) {
	r := start(t)
	r.Plan(robot.WeCom, robot.Answer{Body: `{"errcode":93000,"errmsg":"key ` + robot.Key + ` is unknown"}`})
	if got := client(t, r.URL(), nil).Send(t.Context(), note("x")); got.Verdict != channel.Permanent || strings.Contains(got.Words, robot.Key) {
		t.Errorf("%+v", got)
	}
	away := client(t, "http://127.0.0.1:1/cgi-bin/webhook/send?key="+robot.Key, nil)
	if got := away.Send(t.Context(), note("x")); got.Verdict != channel.Retry || strings.Contains(got.Words, robot.Key) {
		t.Errorf("%+v", got)
	}
	if strings.Contains(away.Budget().Key, robot.Key) {
		t.Error("the budget's key holds the robot's")
	}
	cfg := wecom.DefaultConfig()
	cfg.URL = "ftp://h/?key=" + robot.Key
	if err := cfg.Validate("wecom"); err == nil || strings.Contains(err.Error(), robot.Key) {
		t.Errorf("%v", err)
	}
}

// capture takes requests without a network.
type capture struct{ body []byte }

func (c *capture) RoundTrip(q *http.Request) (*http.Response, error) {
	var err error
	if c.body, err = readAll(q); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}, Request: q}, nil
}

func readAll(q *http.Request) ([]byte, error) {
	defer func() { _ = q.Body.Close() }()
	var raw json.RawMessage
	err := json.NewDecoder(q.Body).Decode(&raw)
	return raw, err
}

func TestContentNeverPassesTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		take := &capture{}
		cfg := wecom.DefaultConfig()
		cfg.URL = "http://robot.example/send?key=k"
		cfg.Format = rapid.SampledFrom([]string{wecom.Markdown, wecom.Text}).Draw(t, "format")
		cfg.Mention = rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,20}`), 0, 5).Draw(t, "mention")
		c, err := wecom.New(cfg, &http.Client{Transport: take}, nil)
		if err != nil {
			t.Fatal(err)
		}
		part := rapid.StringOfN(rapid.RuneFrom([]rune("告警🔥a\n\"\\<")), 1, 40, -1).Draw(t, "part")
		c.Send(context.Background(), note(strings.Repeat(part, rapid.IntRange(1, 400).Draw(t, "times"))+"\xe5"))
		var got struct {
			Type     string `json:"msgtype"`
			Markdown struct{ Content string }
			Text     struct {
				Content string
				List    []string `json:"mentioned_list"`
			}
		}
		if err := json.Unmarshal(take.body, &got); err != nil || got.Type != cfg.Format {
			t.Fatalf("%s: %v", take.body, err)
		}
		content, limit := got.Markdown.Content, wecom.MaxMarkdown
		if cfg.Format == wecom.Text {
			content, limit = got.Text.Content, wecom.MaxText
			if len(got.Text.List) != len(cfg.Mention) {
				t.Fatalf("mentions lost: %s", take.body)
			}
		} else {
			for _, m := range cfg.Mention {
				if !strings.Contains(content, "<@"+m+">") {
					t.Fatalf("mention %s was cut off", m)
				}
			}
		}
		if len(content) > limit || !utf8.ValidString(content) || content == "" {
			t.Fatalf("%d bytes of at most %d", len(content), limit)
		}
	})
}

func TestResolvedMentionsNobody(t *testing.T) {
	r := start(t)
	c := client(t, r.URL(), func(c *wecom.Config) { c.Format, c.Mention = wecom.Text, []string{"@all"} })
	n := note("over")
	n.Kind = channel.Resolved
	c.Send(t.Context(), n)
	c.Send(t.Context(), note("begins"))
	got := r.Received()
	if len(got) != 2 || strings.Contains(string(got[0].Body), "@all") || !strings.Contains(string(got[1].Body), "@all") {
		t.Errorf("%s", got)
	}
}

func TestValidate(t *testing.T) {
	cfg := wecom.Config{URL: "", Format: "html", PerMinute: 0, MentionMobiles: []string{"1"}}
	err := cfg.Validate("receivers[0].wecom")
	for _, want := range []string{"receivers[0].wecom.url", "receivers[0].wecom.format", "receivers[0].wecom.per_minute"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}
