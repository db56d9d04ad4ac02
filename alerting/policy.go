package alerting

import (
	"regexp"
	"strings"

	"imwatch/alerting/route"
)

// NotifyLabel is the label by which a rule names the channels itself: notify: wecom, or notify: email,sms.
const NotifyLabel = "notify"

// DefaultRoute is the policy where none is configured, by the kinds of the receivers there are:
//
//	label notify: KIND,…   those kinds, whatever the severity
//	critical               webhook and WeCom
//	high                   e-mail and SMS
//	warn                   e-mail
//	info                   nobody
//
// A severity none of whose channels is there goes to every receiver, so that a single robot hears everything.
func DefaultRoute(rs []Receiver) route.Config {
	byKind := map[string][]string{}
	for i := range rs {
		byKind[rs[i].Channel()] = append(byKind[rs[i].Channel()], rs[i].Name)
	}
	root := route.Config{}
	for _, kind := range []string{ChannelWeCom, ChannelEmail, ChannelWebhook, ChannelSMS} {
		if len(byKind[kind]) > 0 {
			root.Routes = append(root.Routes, route.Config{
				Match:     []string{`labels.` + NotifyLabel + ` =~ "(.*,)? *` + regexp.QuoteMeta(kind) + ` *(,.*)?"`},
				Receivers: byKind[kind], Continue: true,
			})
		}
	}
	for _, p := range []struct {
		severity string
		kinds    []string
	}{
		{"critical", []string{ChannelWebhook, ChannelWeCom}},
		{"high", []string{ChannelEmail, ChannelSMS}},
		{"warn", []string{ChannelEmail}},
	} {
		var names []string
		for _, kind := range p.kinds {
			names = append(names, byKind[kind]...)
		}
		if len(names) == 0 {
			names = receiverNames(rs)
		}
		root.Routes = append(root.Routes, route.Config{
			Match: []string{"severity = " + p.severity, notNamed(byKind)}, Receivers: names,
		})
	}
	return root
}

// notNamed matches alerts whose label names none of the kinds that are there: a label that would reach nobody counts
// as none.
func notNamed(byKind map[string][]string) string {
	var kinds []string
	for _, kind := range []string{ChannelWeCom, ChannelEmail, ChannelWebhook, ChannelSMS} {
		if len(byKind[kind]) > 0 {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return `labels.` + NotifyLabel + ` =~ ".*"`
	}
	return `labels.` + NotifyLabel + ` !~ "(.*,)? *(` + strings.Join(kinds, "|") + `) *(,.*)?"`
}
