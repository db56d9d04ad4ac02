package alerting_test

import (
	"strings"
	"testing"

	"imwatch/alerting"
	"imwatch/alerting/aliyun"
	"imwatch/alerting/deliver"
	"imwatch/alerting/dingtalk"
	"imwatch/alerting/email"
	"imwatch/alerting/route"
	"imwatch/alerting/sms"
	"imwatch/alerting/stdout"
	"imwatch/alerting/tencent"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := alerting.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	cfg := alerting.DefaultConfig()
	cfg.Group, cfg.Batch, cfg.Language, cfg.TimeZone, cfg.Sweep, cfg.StopTimeout = "", 0, "fr", "Mars/Base", 0, 0
	cfg.Delivery = deliver.Config{Timeout: 10, First: 1, Max: 0, Deadline: 0, Lease: 1}
	robot := wecom.DefaultConfig()
	cfg.Receivers = []alerting.Receiver{
		{Name: "a", WeCom: &robot, Fallback: "b"},
		{Name: "b", Webhook: &webhook.Config{URL: "https://h/"}, Fallback: "a"},
		{Name: "a", Webhook: &webhook.Config{URL: "https://h/"}, Email: &email.Config{}},
		{},
		{Name: "c", SMS: &sms.Config{}, Language: "xx", Fallback: "zz"},
	}
	cfg.Route = route.Config{Receivers: []string{"nobody"}}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		"group:", "batch:", "language:", "time_zone:", "sweep:", "stop_timeout:", "delivery.timeout:", "delivery.first:", "delivery.max:", "delivery.lease:",
		"receivers[0].wecom.url:", `receivers[0].fallback: the fallbacks lead back to "a"`, `receivers[2].name: "a" is the name of receivers[0]`,
		"receivers[2]: exactly one of", "receivers[3].name:", "receivers[3]: exactly one of", "receivers[4].language:", "receivers[4].sms.url:",
		`receivers[4].fallback: unknown receiver "zz"`, `route.receivers[0]: unknown receiver "nobody"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func receiver(name string) alerting.Receiver {
	r := alerting.NewReceiver(name)
	switch name {
	case "wecom":
		c := wecom.DefaultConfig()
		c.URL = "https://w/?key=k"
		r.WeCom = &c
	case "email":
		c := email.DefaultConfig()
		c.Host, c.From, c.To = "h", "a@b.c", []string{"a@b.c"}
		r.Email = &c
	case "sms":
		c := sms.DefaultConfig()
		c.URL, c.Numbers, c.Form = "https://s/", []string{"1"}, map[string]string{"to": "{{.Number}}"}
		r.SMS = &c
	case "webhook":
		r.Webhook = &webhook.Config{URL: "https://h/"}
	case "dingtalk":
		c := dingtalk.DefaultConfig()
		c.URL = "https://d/"
		r.DingTalk = &c
	case "aliyun_voice":
		c := aliyun.DefaultConfig()
		c.AccessKeyID, c.AccessKeySecret, c.Numbers, c.Template = "i", "s", []string{"13800000000"}, "TTS_1"
		r.AliyunVoice = &c
	case "tencent_sms":
		c := tencent.DefaultConfig()
		c.SecretID, c.SecretKey, c.AppID, c.SignName, c.Template, c.Numbers = "i", "s", "a", "n", "1", []string{"+8613800000000"}
		r.TencentSMS = &c
	case "stdout":
		c := stdout.DefaultConfig()
		r.Stdout = &c
	}
	return r
}

func TestDefaultRoute(t *testing.T) {
	for name, tc := range map[string]struct {
		receivers        []string
		severity, notify string
		want             []string
	}{
		"warn":                               {[]string{"wecom", "email", "webhook", "sms"}, "warn", "", []string{"email"}},
		"high":                               {[]string{"wecom", "email", "webhook", "sms"}, "high", "", []string{"email", "sms"}},
		"critical":                           {[]string{"wecom", "email", "webhook", "sms"}, "critical", "", []string{"webhook", "wecom"}},
		"info":                               {[]string{"wecom", "email", "webhook", "sms"}, "info", "", nil},
		"a label names the channel":          {[]string{"wecom", "email", "webhook", "sms"}, "warn", "wecom", []string{"wecom"}},
		"a label names two":                  {[]string{"wecom", "email", "webhook", "sms"}, "critical", "email, sms", []string{"email", "sms"}},
		"a label names one that is not":      {[]string{"email", "wecom"}, "critical", "sms", []string{"wecom"}},
		"a label names one of two that is":   {[]string{"email", "wecom"}, "critical", "sms,email", []string{"email"}},
		"only a robot hears everything":      {[]string{"wecom"}, "warn", "", []string{"wecom"}},
		"only a robot, label for SMS":        {[]string{"wecom"}, "high", "sms", []string{"wecom"}},
		"info is told where a label says so": {[]string{"wecom"}, "info", "wecom", []string{"wecom"}},
		"nobody":                             {nil, "critical", "", nil},
		"critical calls and chats":           {[]string{"dingtalk", "aliyun_voice", "email"}, "critical", "", []string{"dingtalk", "aliyun_voice"}},
		"high is an SMS of whomever":         {[]string{"tencent_sms", "email", "dingtalk"}, "high", "", []string{"email", "tencent_sms"}},
		"a label names a class":              {[]string{"dingtalk", "wecom", "email"}, "warn", "chat", []string{"dingtalk", "wecom"}},
		"a label names a kind of a class":    {[]string{"dingtalk", "wecom", "email"}, "warn", "dingtalk", []string{"dingtalk"}},
		"all goes to stdout, info too":       {[]string{"stdout", "email"}, "info", "", []string{"stdout"}},
		"stdout hears what others are told":  {[]string{"stdout", "email", "wecom"}, "critical", "", []string{"stdout", "wecom"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := alerting.DefaultConfig()
			for _, r := range tc.receivers {
				cfg.Receivers = append(cfg.Receivers, receiver(r))
			}
			policy := alerting.DefaultRoute(cfg.Receivers)
			cfg.Route = policy
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			tree, err := route.New(policy)
			if err != nil {
				t.Fatal(err)
			}
			a := &event.Alert{Severity: tc.severity, Labels: map[string]string{}}
			if tc.notify != "" {
				a.Labels[alerting.NotifyLabel] = tc.notify
			}
			var got []string
			for _, target := range tree.Targets(a) {
				got = append(got, target.Receiver)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
