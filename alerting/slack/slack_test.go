package slack_test

import (
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/slack"
	"imwatch/event"
)

func TestMentionsAndAnswers(t *testing.T) {
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cfg := slack.DefaultConfig()
	cfg.URL, cfg.Mention = r.SlackURL(), []string{"U1", "S2", "here"}
	if err := cfg.Validate("slack"); err != nil {
		t.Fatal(err)
	}
	h, err := slack.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	n := channel.Notification{Kind: channel.Firing, Alert: event.Alert{Severity: "high"}, Message: channel.Message{
		Title: "title", Body: strings.Repeat("正文", 3000), Links: []channel.Link{{Name: "Console", URL: "https://c.example/1"}},
	}}
	if got := h.Send(t.Context(), n); got.Verdict != channel.Accepted {
		t.Fatalf("%+v", got)
	}
	n.Kind = channel.Resolved
	h.Send(t.Context(), n)
	got := r.Received()
	if len(got) != 2 || !strings.HasPrefix(got[0].Text, "title <@U1> <!subteam^S2> <!here>\n") || !strings.HasSuffix(got[0].Text, " <https://c.example/1|Console>") || strings.Contains(got[1].Text, "<@U1>") {
		t.Errorf("%.200s", got)
	}
	for _, tc := range []struct {
		answer robot.Answer
		want   channel.Verdict
		after  time.Duration
	}{
		{robot.Answer{Status: 429, Header: map[string]string{"Retry-After": "7"}}, channel.Retry, 7 * time.Second},
		{robot.Answer{Status: 403, Body: "action_prohibited"}, channel.Permanent, 0},
		{robot.Answer{Status: 410, Body: "channel_is_archived"}, channel.Permanent, 0},
		{robot.Answer{Body: "who knows"}, channel.Unanswered, 0},
		{robot.Answer{Status: 404, Body: "no_service " + robot.SlackHook}, channel.Permanent, 0},
	} {
		r.Plan(robot.Slack, tc.answer)
		if got := h.Send(t.Context(), n); got.Verdict != tc.want || got.After != tc.after || strings.Contains(got.Words, robot.SlackHook) {
			t.Errorf("%+v: %+v", tc.answer, got)
		}
	}
}
