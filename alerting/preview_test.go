package alerting_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/channel"
	"imwatch/alerting/email"
	"imwatch/alerting/render"
	"imwatch/alerting/stdout"
	"imwatch/alerting/wecom"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPreviewOfEveryChannel holds what each channel sends, in each language and of the formats there are, to files.
func TestPreviewOfEveryChannel(t *testing.T) {
	from := time.Date(2026, 11, 21, 6, 30, 0, 0, time.UTC)
	a := state("4b1d5ca3f0c2", event.StateFiring, from, 95)
	a.RuleID, a.RuleName = "handshake-failures-by-ip", "Handshake failures from one address"
	a.Top = map[string][]event.TopValue{"user.id": {{Value: "alice", Count: 12}, {Value: "<@all>", Count: 9}}}
	a.Annotations = map[string]string{"summary": "192.0.2.1: 21 failed handshakes in a minute", "runbook": "docs/runbooks/handshake-failures.md"}
	formats := map[string][]string{
		alerting.ChannelWeCom: {"markdown", "markdown_v2", "text", "template_card"}, alerting.ChannelWeComApp: {"markdown", "text"},
		alerting.ChannelDingTalk: {"markdown", "text"}, alerting.ChannelFeishu: {"card", "text"},
		alerting.ChannelWebhook: {"json", "cloudevents"}, alerting.ChannelStdout: {"text", "json"},
	}
	for _, lang := range render.Languages() {
		cfg := alerting.DefaultConfig()
		cfg.Language, cfg.TimeZone = lang, "Asia/Shanghai"
		cfg.Links = render.Links{Kibana: "https://kibana.example.org", DataView: "imwatch-events", Console: "https://watch.example.org", Runbooks: "https://git.example.org/im"}
		for _, name := range alerting.Channels() {
			all := formats[name]
			if all == nil {
				all = []string{""}
			}
			for _, format := range all {
				var b bytes.Buffer
				if err := alerting.Preview(t.Context(), cfg, alerting.PreviewOptions{Channel: name, Format: format, Kind: channel.Firing, Alerts: []*event.Alert{a}}, &b); err != nil {
					t.Fatal(err)
				}
				file := strings.TrimSuffix(strings.Join([]string{lang, name, format}, "-"), "-") + ".txt"
				same(t, filepath.Join("testdata", "preview", file), strings.ReplaceAll(b.String(), "\r\n", "\n"))
			}
		}
	}
}

func same(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", file, diff)
	}
}

func TestPreviewRefuses(t *testing.T) {
	for _, o := range []struct{ name, format, want string }{
		{"wecon", "", "did you mean wecom?"}, {"wecom", "markdwon", "did you mean markdown?"}, {"email", "html", "email has only one"},
	} {
		err := alerting.Preview(t.Context(), alerting.DefaultConfig(), alerting.PreviewOptions{Channel: o.name, Format: o.format, Kind: channel.Firing, Alerts: []*event.Alert{state("a", "firing", time.Now(), 0)}}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), o.want) {
			t.Errorf("%s %s: %v", o.name, o.format, err)
		}
	}
}

// TestPreviewOfAReceiver takes a receiver's own format, language and mentions, and none of its secrets.
func TestPreviewOfAReceiver(t *testing.T) {
	robot := alerting.NewReceiver("team")
	robot.Language = "zh"
	w := wecom.DefaultConfig()
	w.URL, w.Format, w.Mention = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=s3cret", "text", []string{"ann"}
	robot.WeCom = &w
	mails := alerting.NewReceiver("mails")
	m := email.DefaultConfig()
	m.Host, m.Username, m.From, m.To, m.CAFile = "smtp.example.org", "watch", "watch@example.org", []string{"ops@example.org"}, "/nowhere.pem"
	mails.Email = &m
	cfg := alerting.DefaultConfig()
	cfg.Receivers = []alerting.Receiver{robot, mails}
	show := func(name, language string) (string, error) {
		var b bytes.Buffer
		err := alerting.Preview(t.Context(), cfg, alerting.PreviewOptions{
			Receiver: name, Language: language, Kind: channel.Firing, Alerts: []*event.Alert{state("a", event.StateFiring, time.Date(2026, 11, 21, 6, 30, 0, 0, time.UTC), 0)},
		}, &b)
		return b.String(), err
	}
	got, err := show("team", "")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, `"msgtype": "text"`) || !strings.Contains(got, `"ann"`) || !strings.Contains(got, "告警") || strings.Contains(got, "s3cret") || !strings.Contains(got, "key=KEY") {
		t.Errorf("%s", got)
	}
	if w.URL != cfg.Receivers[0].WeCom.URL || !strings.Contains(w.URL, "s3cret") {
		t.Error("the configuration itself was changed")
	}
	if got, err = show("team", "en"); err != nil || strings.Contains(got, "告警") {
		t.Errorf("%v: %s", err, got)
	}
	if got, err = show("mails", ""); err != nil || !strings.Contains(got, "ops@example.org") {
		t.Errorf("%v: %s", err, got)
	}
	if _, err = show("tean", ""); err == nil || !strings.Contains(err.Error(), `did you mean "team"?`) {
		t.Errorf("%v", err)
	}
	cfg.Receivers[0].WeCom.Format = "texd"
	if _, err = show("team", ""); err == nil || !strings.Contains(err.Error(), "did you mean text?") {
		t.Errorf("%v", err)
	}
}

// TestPreviewOfAGroup: the channels that are told several alerts at once show all of them in one message, with what the
// configuration has them grouped by; programs refuse.
func TestPreviewOfAGroup(t *testing.T) {
	var alerts []*event.Alert
	for i := range 3 {
		a := state(fmt.Sprint("a-", i), event.StateFiring, time.Date(2026, 11, 21, 6, 30, 0, 0, time.UTC), 0)
		a.RuleID, a.RuleName, a.Key[0].Value = "flood", "Flood", fmt.Sprint("192.0.2.", i+1)
		alerts = append(alerts, a)
	}
	cfg := alerting.DefaultConfig()
	team := alerting.NewReceiver("team")
	team.Stdout = &stdout.Config{Format: "text"}
	cfg.Receivers = []alerting.Receiver{team}
	show := func(o alerting.PreviewOptions) (string, error) {
		var b bytes.Buffer
		o.Kind, o.Alerts = channel.Firing, alerts
		err := alerting.Preview(t.Context(), cfg, o, &b)
		return b.String(), err
	}
	programs := []string{alerting.ChannelWebhook, alerting.ChannelPagerDuty, alerting.ChannelAlertmanager}
	for _, name := range alerting.Channels() {
		got, err := show(alerting.PreviewOptions{Channel: name})
		if slices.Contains(programs, name) {
			if err == nil || !strings.Contains(err.Error(), name+" is told each alert by itself") {
				t.Errorf("%s: %v: %s", name, err, got)
			}
		} else if err != nil || !strings.Contains(got, "3 alerts") && !strings.Contains(got, "Flood ×3") {
			t.Errorf("%s: %v: %s", name, err, got)
		}
	}
	for by, want := range map[string]string{"rule": "— rule=flood", "severity": "— severity=high"} {
		cfg.Route.GroupBy = []string{by}
		if got, err := show(alerting.PreviewOptions{Receiver: "team"}); err != nil || !strings.Contains(got, want) || !strings.Contains(got, "client.ip=192.0.2.3") {
			t.Errorf("by %s: %v: %s", by, err, got)
		}
	}
	cfg.Route.GroupBy = []string{"key.client.ip"}
	if _, err := show(alerting.PreviewOptions{Receiver: "team"}); err == nil || !strings.Contains(err.Error(), `tells "key.client.ip=192.0.2.1" and "key.client.ip=192.0.2.2" apart`) {
		t.Errorf("what is never told together is shown so: %v", err)
	}
}
