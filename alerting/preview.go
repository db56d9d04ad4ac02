package alerting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/alertmanager"
	"imwatch/alerting/aliyun"
	"imwatch/alerting/channel"
	"imwatch/alerting/dingtalk"
	"imwatch/alerting/email"
	"imwatch/alerting/feishu"
	"imwatch/alerting/pagerduty"
	"imwatch/alerting/slack"
	"imwatch/alerting/sms"
	"imwatch/alerting/stdout"
	"imwatch/alerting/tencent"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/alerting/wecomapp"
	"imwatch/event"
)

// PreviewOptions say what is shown.
type PreviewOptions struct {
	Channel string // one of Channels
	Format  string // of the channel; "": its default
	// Receiver is the name of one of the configuration's receivers, whose settings are taken instead of Channel's
	// defaults; "": none.
	Receiver string
	Language string // "": the receiver's, or that of the configuration
	Kind     channel.Kind
	Alerts   []*event.Alert // at least one; several are told as a group
}

// Preview writes what a receiver would be sent about an alert, or about several of a group, to the letter, with
// placeholders for secrets. Nothing is sent. Links, language, time zone and templates are those of c. Of a receiver of c
// its secrets are hidden, too.
func Preview(ctx context.Context, c Config, o PreviewOptions, w io.Writer) error {
	rec, err := o.receiver(c)
	if err != nil {
		return err
	}
	r, err := c.Renderer()
	if err != nil {
		return err
	}
	now := func() time.Time { return o.Alerts[0].Time }
	ch, err := rec.kind().build(&rec, makings{client: &http.Client{Transport: show{w}}, now: now, out: w})
	if err != nil {
		return err
	}
	defer ch.Close()
	n, err := o.notification(c, r, &rec, budgetsOf(ch)[0].Fold)
	if err != nil {
		return err
	}
	if mailer, ok := ch.(*email.Mailer); ok {
		return mailer.Write(ctx, n, w)
	}
	ch.Send(ctx, n) // what comes of it is made up
	return nil
}

// receiver gives the one that is shown.
func (o PreviewOptions) receiver(c Config) (Receiver, error) {
	if o.Receiver == "" {
		rec := NewReceiver("preview")
		if err := example(&rec, o.Channel, o.Format); err != nil {
			return rec, err
		}
		return rec, rec.validate("preview")
	}
	names := receiverNames(c.Receivers)
	i := slices.Index(names, o.Receiver)
	if i < 0 {
		return Receiver{}, fmt.Errorf("receiver: unknown %q, the configuration has: %s%s", o.Receiver, strings.Join(names, ", "), nearest(o.Receiver, names))
	}
	return c.Receivers[i].masked()
}

// show writes requests down instead of sending them, and answers as a provider that takes everything.
type show struct{ w io.Writer }

func (s show) RoundTrip(q *http.Request) (*http.Response, error) {
	var body []byte
	if q.Body != nil {
		var err error
		if body, err = io.ReadAll(q.Body); err != nil {
			return nil, err
		}
	}
	address := q.URL.String()
	if !strings.HasSuffix(q.URL.Path, "/gettoken") {
		if plain, err := url.QueryUnescape(address); err == nil {
			address = plain // for a person; it is sent escaped
		}
		text := body
		var pretty bytes.Buffer
		if json.Valid(body) && json.Indent(&pretty, body, "", "  ") == nil {
			text = pretty.Bytes()
		}
		if _, err := fmt.Fprintf(s.w, "%s %s\n%s\n\n", q.Method, address, text); err != nil {
			return nil, err
		}
	}
	const answer = `{"errcode":0,"access_token":"TOKEN","expires_in":7200,"code":0,"Code":"OK","status":"success","Response":{"SendStatusSet":[{"Code":"Ok"}],"SendStatus":{"CallId":"1"}}}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: q}, nil
}

// example configures a receiver of a kind with placeholders.
func example(r *Receiver, kind, format string) error {
	numbers, params := []string{"+8613800000000"}, map[string]string{"severity": "{{.Severity}}", "rule": "{{.Rule}}", "key": "{{.Key}}"}
	ali, ten := aliyun.DefaultConfig(), tencent.DefaultConfig()
	ali.AccessKeyID, ali.AccessKeySecret, ali.Numbers, ali.SignName, ali.Template, ali.Params = "ID", "SECRET", numbers, "SIGN", "TEMPLATE", params
	ten.SecretID, ten.SecretKey, ten.AppID, ten.Numbers, ten.SignName, ten.Template = "ID", "SECRET", "APP", numbers, "SIGN", "TEMPLATE"
	ten.Params = []string{"{{.Severity}}", "{{.Rule}}", "{{.Key}}"}
	takes := false
	set := func(f *string) {
		if takes = true; format != "" {
			*f = format
		}
	}
	switch kind {
	case ChannelWeCom:
		c := wecom.DefaultConfig()
		c.URL, c.CardURL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=KEY", "https://watch.example.org"
		set(&c.Format)
		r.WeCom = &c
	case ChannelWeComApp:
		c := wecomapp.DefaultConfig()
		c.CorpID, c.Secret, c.AgentID, c.Users = "CORP", "SECRET", 1, []string{"USER"}
		set(&c.Format)
		r.WeComApp = &c
	case ChannelDingTalk:
		c := dingtalk.DefaultConfig()
		c.URL = "https://oapi.dingtalk.com/robot/send?access_token=TOKEN"
		set(&c.Format)
		r.DingTalk = &c
	case ChannelFeishu:
		c := feishu.DefaultConfig()
		c.URL = "https://open.feishu.cn/open-apis/bot/v2/hook/HOOK"
		set(&c.Format)
		r.Feishu = &c
	case ChannelSlack:
		c := slack.DefaultConfig()
		c.URL = "https://hooks.slack.com/services/HOOK"
		r.Slack = &c
	case ChannelPagerDuty:
		c := pagerduty.DefaultConfig()
		c.RoutingKey = "KEY"
		r.PagerDuty = &c
	case ChannelEmail:
		c := email.DefaultConfig()
		c.Host, c.From, c.To = "smtp.example.org", "imwatch@example.org", []string{"you@example.org"}
		r.Email = &c
	case ChannelWebhook:
		c := webhook.DefaultConfig()
		c.URL = "https://hook.example.org"
		set(&c.Format)
		r.Webhook = &c
	case ChannelSMS:
		c := sms.DefaultConfig()
		c.URL, c.Numbers, c.JSON = "https://sms.example.org", numbers, `{"to": {{json .Number}}, "text": {{json .Text}}}`
		r.SMS = &c
	case ChannelAliyunSMS:
		r.AliyunSMS = &ali
	case ChannelAliyunVoice:
		r.AliyunVoice = &ali
	case ChannelTencentSMS:
		r.TencentSMS = &ten
	case ChannelTencentVoice:
		r.TencentVoice = &ten
	case ChannelAlertmanager:
		c := alertmanager.DefaultConfig()
		c.URLs = []string{"http://alertmanager:9093"}
		r.Alertmanager = &c
	case ChannelStdout:
		c := stdout.DefaultConfig()
		set(&c.Format)
		r.Stdout = &c
	default:
		return channel.CheckOneOf("channel", kind, Channels()...)
	}
	if format != "" && !takes {
		return fmt.Errorf("format: found %q, but %s has only one", format, kind)
	}
	return nil
}
