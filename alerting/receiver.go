package alerting

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/alertmanager"
	"imwatch/alerting/aliyun"
	"imwatch/alerting/channel"
	"imwatch/alerting/deliver"
	"imwatch/alerting/dingtalk"
	"imwatch/alerting/email"
	"imwatch/alerting/feishu"
	"imwatch/alerting/pagerduty"
	"imwatch/alerting/render"
	"imwatch/alerting/route"
	"imwatch/alerting/slack"
	"imwatch/alerting/sms"
	"imwatch/alerting/stdout"
	"imwatch/alerting/tencent"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/alerting/wecomapp"
	"imwatch/event"
)

// Receiver is a channel with an address: who is told, and how. Begin with NewReceiver.
type Receiver struct {
	Name         string               `yaml:"name" doc:"what routes call it"`
	WeCom        *wecom.Config        `yaml:"wecom" doc:"a WeCom group robot"`
	WeComApp     *wecomapp.Config     `yaml:"wecom_app" doc:"members of a WeCom corporation, by an application"`
	DingTalk     *dingtalk.Config     `yaml:"dingtalk" doc:"a DingTalk group robot"`
	Feishu       *feishu.Config       `yaml:"feishu" doc:"a Feishu or Lark group robot"`
	Slack        *slack.Config        `yaml:"slack" doc:"a Slack channel, by an incoming webhook"`
	PagerDuty    *pagerduty.Config    `yaml:"pagerduty" doc:"a PagerDuty service"`
	Email        *email.Config        `yaml:"email" doc:"mail addresses"`
	Webhook      *webhook.Config      `yaml:"webhook" doc:"any program, by an HTTP POST"`
	SMS          *sms.Config          `yaml:"sms" doc:"mobile numbers, by an SMS gateway's HTTP interface"`
	AliyunSMS    *aliyun.Config       `yaml:"aliyun_sms" doc:"mobile numbers, by Aliyun's SMS"`
	AliyunVoice  *aliyun.Config       `yaml:"aliyun_voice" doc:"telephone numbers, by Aliyun's voice calls"`
	TencentSMS   *tencent.Config      `yaml:"tencent_sms" doc:"mobile numbers, by Tencent Cloud's SMS"`
	TencentVoice *tencent.Config      `yaml:"tencent_voice" doc:"telephone numbers, by Tencent Cloud's voice calls"`
	Alertmanager *alertmanager.Config `yaml:"alertmanager" doc:"an existing Prometheus Alertmanager"`
	Stdout       *stdout.Config       `yaml:"stdout" doc:"the process's standard output"`
	Language     string               `yaml:"language" doc:"en or zh; none: the stage's"`
	SendUpdated  bool                 `yaml:"send_updated" doc:"tell when a firing alert became worse"`
	SendResolved bool                 `yaml:"send_resolved" doc:"tell when it is over"`
	Timeout      time.Duration        `yaml:"timeout" doc:"longest time of one attempt; 0: delivery.timeout"`
	Fallback     string               `yaml:"fallback" doc:"receiver that is told what could not be delivered here"`
}

// NewReceiver makes a receiver that is told everything; one of its channels must be set.
func NewReceiver(name string) Receiver {
	r := Receiver{}
	r.SetDefaults()
	r.Name = name
	return r
}

// SetDefaults makes r the default.
func (r *Receiver) SetDefaults() { *r = Receiver{SendUpdated: true, SendResolved: true} }

// Channel names the kind of the receiver's channel; "" when there is none or more than one.
func (r *Receiver) Channel() string {
	if k := r.kind(); k != nil {
		return k.name
	}
	return ""
}

// class names the class of the receiver's channel, likewise.
func (r *Receiver) class() string {
	if k := r.kind(); k != nil && k.class != "" {
		return k.class
	}
	return r.Channel()
}

// kind gives the kind of the receiver's channel; nil when there is none or more than one.
func (r *Receiver) kind() *kind {
	var found []kind
	for _, k := range kinds() {
		if k.set(r) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return nil
	}
	return &found[0]
}

func (r *Receiver) style() render.Style { return r.kind().style(r) }

// delivery gives the stage's delivery with the receiver's own time-out. A claim lasts for two attempts at least.
func (r *Receiver) delivery(c deliver.Config) deliver.Config {
	if r.Timeout > 0 {
		c.Timeout = r.Timeout
		c.Lease = max(c.Lease, 2*r.Timeout)
		c.Deadline = max(c.Deadline, r.Timeout)
	}
	return c
}

func receiverNames(rs []Receiver) []string {
	names := make([]string, len(rs))
	for i := range rs {
		names[i] = rs[i].Name
	}
	return names
}

func validateReceivers(rs []Receiver) error {
	var errs []error
	names := receiverNames(rs)
	for i := range rs {
		path := fmt.Sprintf("receivers[%d]", i)
		r := &rs[i]
		switch {
		case route.IsOnCall(r.Name):
			errs = append(errs, fmt.Errorf("%s.name: found %q: names that begin with oncall: stand for schedules", path, r.Name))
		case r.Name == "":
			errs = append(errs, fmt.Errorf("%s.name: a name is needed", path))
		case slices.Index(names, r.Name) < i:
			errs = append(errs, fmt.Errorf("%s.name: %q is the name of receivers[%d] already", path, r.Name, slices.Index(names, r.Name)))
		}
		errs = append(errs, r.validate(path))
		if r.Fallback != "" && !slices.Contains(names, r.Fallback) {
			errs = append(errs, fmt.Errorf("%s.fallback: unknown receiver %q, known are: %s%s", path, r.Fallback, strings.Join(names, ", "), nearest(r.Fallback, names)))
		} else if circle(rs, r.Name) {
			errs = append(errs, fmt.Errorf("%s.fallback: the fallbacks lead back to %q", path, r.Name))
		}
	}
	return errors.Join(errs...)
}

func (r *Receiver) validate(path string) error {
	var errs []error
	if r.kind() == nil {
		errs = append(errs, fmt.Errorf("%s: exactly one of %s is needed", path, strings.Join(Channels(), ", ")))
	}
	if r.Language != "" {
		errs = append(errs, channel.CheckOneOf(path+".language", r.Language, render.Languages()...))
	}
	if r.Timeout != 0 && r.Timeout < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("%s.timeout: found %v, expected at least 10ms", path, r.Timeout))
	}
	for _, k := range kinds() {
		if k.set(r) {
			errs = append(errs, k.validate(r, path+"."+k.name))
		}
	}
	return errors.Join(errs...)
}

// circle says whether the fallbacks that begin at a receiver come back to it.
func circle(rs []Receiver, name string) bool {
	at := name
	for range rs {
		i := slices.IndexFunc(rs, func(r Receiver) bool { return r.Name == at })
		if i < 0 || rs[i].Fallback == "" {
			return false
		}
		if at = rs[i].Fallback; at == name {
			return true
		}
	}
	return false
}

func nearest(name string, known []string) string {
	if near := event.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
