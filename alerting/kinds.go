package alerting

import (
	"io"
	"net/http"
	"reflect"
	"time"

	"imwatch/alerting/alertmanager"
	"imwatch/alerting/aliyun"
	"imwatch/alerting/dingtalk"
	"imwatch/alerting/email"
	"imwatch/alerting/feishu"
	"imwatch/alerting/pagerduty"
	"imwatch/alerting/render"
	"imwatch/alerting/slack"
	"imwatch/alerting/sms"
	"imwatch/alerting/stdout"
	"imwatch/alerting/tencent"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/alerting/wecomapp"
)

// The kinds of channels, as configuration, metrics and the outbox name them.
const (
	ChannelWeCom        = "wecom"
	ChannelWeComApp     = "wecom_app"
	ChannelDingTalk     = "dingtalk"
	ChannelFeishu       = "feishu"
	ChannelSlack        = "slack"
	ChannelPagerDuty    = "pagerduty"
	ChannelEmail        = "email"
	ChannelWebhook      = "webhook"
	ChannelSMS          = "sms"
	ChannelAliyunSMS    = "aliyun_sms"
	ChannelAliyunVoice  = "aliyun_voice"
	ChannelTencentSMS   = "tencent_sms"
	ChannelTencentVoice = "tencent_voice"
	ChannelAlertmanager = "alertmanager"
	ChannelStdout       = "stdout"
)

// The classes of channels, for the default policy and the label notify: what a person would call them.
const (
	classChat  = "chat"
	classSMS   = "sms"
	classVoice = "voice"
	classAll   = "all" // takes every severity
)

// makings is what channels are made with.
type makings struct {
	client *http.Client // nil: each makes its own
	now    func() time.Time
	out    io.Writer // nil: standard output
	chart  email.Chart
}

// kind is one kind of channel: all that the stage knows about it.
type kind struct {
	name     string
	class    string // "": its name
	config   func(*Receiver) any
	validate func(r *Receiver, path string) error
	style    func(*Receiver) render.Style
	build    func(*Receiver, makings) (Channel, error)
}

func (k *kind) set(r *Receiver) bool { return !reflect.ValueOf(k.config(r)).IsNil() }

func always(s render.Style) func(*Receiver) render.Style {
	return func(*Receiver) render.Style { return s }
}

// kinds lists all kinds in the order in which errors and documents name them.
func kinds() []kind {
	return []kind{
		{
			ChannelWeCom, classChat, func(r *Receiver) any { return r.WeCom },
			func(r *Receiver, path string) error { return r.WeCom.Validate(path) }, wecomStyle,
			func(r *Receiver, m makings) (Channel, error) { return wecom.New(*r.WeCom, m.client, m.now) },
		},
		{
			ChannelWeComApp, classChat, func(r *Receiver) any { return r.WeComApp },
			func(r *Receiver, path string) error { return r.WeComApp.Validate(path) },
			func(r *Receiver) render.Style { return either(r.WeComApp.Format == wecomapp.Text, render.WeCom) },
			func(r *Receiver, m makings) (Channel, error) { return wecomapp.New(*r.WeComApp, m.client, m.now) },
		},
		{
			ChannelDingTalk, classChat, func(r *Receiver) any { return r.DingTalk },
			func(r *Receiver, path string) error { return r.DingTalk.Validate(path) },
			func(r *Receiver) render.Style { return either(r.DingTalk.Format == dingtalk.Text, render.DingTalk) },
			func(r *Receiver, m makings) (Channel, error) { return dingtalk.New(*r.DingTalk, m.client, m.now) },
		},
		{
			ChannelFeishu, classChat, func(r *Receiver) any { return r.Feishu },
			func(r *Receiver, path string) error { return r.Feishu.Validate(path) },
			func(r *Receiver) render.Style { return either(r.Feishu.Format == feishu.Text, render.Feishu) },
			func(r *Receiver, m makings) (Channel, error) { return feishu.New(*r.Feishu, m.client, m.now) },
		},
		{
			ChannelSlack, classChat, func(r *Receiver) any { return r.Slack },
			func(r *Receiver, path string) error { return r.Slack.Validate(path) }, always(render.Slack),
			func(r *Receiver, m makings) (Channel, error) { return slack.New(*r.Slack, m.client, m.now) },
		},
		{
			ChannelPagerDuty, "", func(r *Receiver) any { return r.PagerDuty },
			func(r *Receiver, path string) error { return r.PagerDuty.Validate(path) }, always(render.Plain),
			func(r *Receiver, m makings) (Channel, error) { return pagerduty.New(*r.PagerDuty, m.client, m.now) },
		},
		{
			ChannelEmail, "", func(r *Receiver) any { return r.Email },
			func(r *Receiver, path string) error { return r.Email.Validate(path) }, always(render.Email),
			func(r *Receiver, m makings) (Channel, error) { return email.New(*r.Email, m.now, m.chart) },
		},
		{
			ChannelWebhook, "", func(r *Receiver) any { return r.Webhook },
			func(r *Receiver, path string) error { return r.Webhook.Validate(path) }, always(render.Plain),
			func(r *Receiver, m makings) (Channel, error) { return webhook.New(*r.Webhook, m.client, m.now) },
		},
		{
			ChannelSMS, classSMS, func(r *Receiver) any { return r.SMS },
			func(r *Receiver, path string) error { return r.SMS.Validate(path) }, always(render.SMS),
			func(r *Receiver, m makings) (Channel, error) { return sms.New(*r.SMS, m.client, m.now) },
		},
		{
			ChannelAliyunSMS, classSMS, func(r *Receiver) any { return r.AliyunSMS },
			func(r *Receiver, path string) error { return r.AliyunSMS.Validate(path, aliyun.SMS) }, always(render.SMS),
			func(r *Receiver, m makings) (Channel, error) {
				return aliyun.New(*r.AliyunSMS, aliyun.SMS, m.client, m.now)
			},
		},
		{
			ChannelAliyunVoice, classVoice, func(r *Receiver) any { return r.AliyunVoice },
			func(r *Receiver, path string) error { return r.AliyunVoice.Validate(path, aliyun.Voice) }, always(render.Voice),
			func(r *Receiver, m makings) (Channel, error) {
				return aliyun.New(*r.AliyunVoice, aliyun.Voice, m.client, m.now)
			},
		},
		{
			ChannelTencentSMS, classSMS, func(r *Receiver) any { return r.TencentSMS },
			func(r *Receiver, path string) error { return r.TencentSMS.Validate(path, tencent.SMS) }, always(render.SMS),
			func(r *Receiver, m makings) (Channel, error) {
				return tencent.New(*r.TencentSMS, tencent.SMS, m.client, m.now)
			},
		},
		{
			ChannelTencentVoice, classVoice, func(r *Receiver) any { return r.TencentVoice },
			func(r *Receiver, path string) error { return r.TencentVoice.Validate(path, tencent.Voice) }, always(render.Voice),
			func(r *Receiver, m makings) (Channel, error) {
				return tencent.New(*r.TencentVoice, tencent.Voice, m.client, m.now)
			},
		},
		{
			ChannelAlertmanager, classAll, func(r *Receiver) any { return r.Alertmanager },
			func(r *Receiver, path string) error { return r.Alertmanager.Validate(path) }, always(render.Plain),
			func(r *Receiver, m makings) (Channel, error) {
				return alertmanager.New(*r.Alertmanager, m.client, m.now)
			},
		},
		{
			ChannelStdout, classAll, func(r *Receiver) any { return r.Stdout },
			func(r *Receiver, path string) error { return r.Stdout.Validate(path) }, always(render.Plain),
			func(r *Receiver, m makings) (Channel, error) { return stdout.New(*r.Stdout, m.out), nil },
		},
	}
}

func wecomStyle(r *Receiver) render.Style {
	switch r.WeCom.Format {
	case wecom.MarkdownV2:
		return render.WeComV2
	case wecom.Markdown:
		return render.WeCom
	}
	return render.Plain
}

func either(text bool, s render.Style) render.Style {
	if text {
		return render.Plain
	}
	return s
}

// Channels names all kinds of channels.
func Channels() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}
