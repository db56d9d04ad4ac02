package alerting

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"imwatch/alerting/email"
	"imwatch/alerting/render"
	"imwatch/alerting/sms"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
)

// Receiver is a channel with an address: who is told, and how. Begin with NewReceiver.
type Receiver struct {
	Name         string          `yaml:"name" doc:"what routes call it"`
	WeCom        *wecom.Config   `yaml:"wecom" doc:"a WeCom group robot"`
	Email        *email.Config   `yaml:"email" doc:"mail addresses"`
	Webhook      *webhook.Config `yaml:"webhook" doc:"any program, by an HTTP POST"`
	SMS          *sms.Config     `yaml:"sms" doc:"mobile numbers, by an SMS gateway's HTTP interface"`
	Language     string          `yaml:"language" doc:"en or zh; none: the stage's"`
	SendUpdated  bool            `yaml:"send_updated" doc:"tell when a firing alert became worse"`
	SendResolved bool            `yaml:"send_resolved" doc:"tell when it is over"`
	Fallback     string          `yaml:"fallback" doc:"receiver that is told what could not be delivered here"`
}

// The kinds of channels, as metrics and the outbox name them.
const (
	ChannelWeCom   = "wecom"
	ChannelEmail   = "email"
	ChannelWebhook = "webhook"
	ChannelSMS     = "sms"
)

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
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{{ChannelWeCom, r.WeCom != nil}, {ChannelEmail, r.Email != nil}, {ChannelWebhook, r.Webhook != nil}, {ChannelSMS, r.SMS != nil}} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

func (r *Receiver) style() render.Style {
	switch {
	case r.Email != nil:
		return render.Email
	case r.SMS != nil:
		return render.SMS
	case r.WeCom != nil && r.WeCom.Format == wecom.MarkdownV2:
		return render.WeComV2
	case r.WeCom != nil && r.WeCom.Format == wecom.Markdown:
		return render.WeCom
	}
	return render.Plain
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
		case r.Name == "":
			errs = append(errs, fmt.Errorf("%s.name: a name is needed", path))
		case slices.Index(names, r.Name) < i:
			errs = append(errs, fmt.Errorf("%s.name: %q is the name of receivers[%d] already", path, r.Name, slices.Index(names, r.Name)))
		}
		errs = append(errs, r.validate(path))
		if r.Fallback != "" && !slices.Contains(names, r.Fallback) {
			errs = append(errs, fmt.Errorf("%s.fallback: unknown receiver %q, known are: %s", path, r.Fallback, strings.Join(names, ", ")))
		} else if circle(rs, r.Name) {
			errs = append(errs, fmt.Errorf("%s.fallback: the fallbacks lead back to %q", path, r.Name))
		}
	}
	return errors.Join(errs...)
}

func (r *Receiver) validate(path string) error {
	var errs []error
	if r.Channel() == "" {
		errs = append(errs, fmt.Errorf("%s: exactly one of wecom, email, webhook and sms is needed", path))
	}
	if r.Language != "" && !slices.Contains(render.Languages(), r.Language) {
		errs = append(errs, fmt.Errorf("%s.language: found %q, expected %s", path, r.Language, strings.Join(render.Languages(), " or ")))
	}
	if r.WeCom != nil {
		errs = append(errs, r.WeCom.Validate(path+".wecom"))
	}
	if r.Email != nil {
		errs = append(errs, r.Email.Validate(path+".email"))
	}
	if r.Webhook != nil {
		errs = append(errs, r.Webhook.Validate(path+".webhook"))
	}
	if r.SMS != nil {
		errs = append(errs, r.SMS.Validate(path+".sms"))
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
