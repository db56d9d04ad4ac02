package alerting

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"imwatch/alerting/route"
)

// NotifyLabel is the label by which a rule names the channels itself: notify: wecom, or notify: email,sms.
const NotifyLabel = "notify"

// DefaultRoute is the policy where none is configured, by the channels that there are:
//
//	label notify: NAME,…   channels of that kind or class (wecom, chat, sms, voice, …), whatever the severity
//	critical               webhook, chat (WeCom, DingTalk, Feishu, Slack), PagerDuty and voice
//	high                   e-mail and SMS
//	warn                   e-mail
//	info                   nobody
//
// Alertmanager and standard output are told everything. A severity none of whose channels is there goes to every
// receiver, so that a single robot hears everything.
func DefaultRoute(rs []Receiver) route.Config {
	named := byName(rs)
	root := route.Config{}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		root.Routes = append(root.Routes, route.Config{
			Match:     []string{`labels.` + NotifyLabel + ` =~ "(.*,)? *` + regexp.QuoteMeta(name) + ` *(,.*)?"`},
			Receivers: named[name], Continue: true,
		})
	}
	if all := named[classAll]; len(all) > 0 {
		root.Routes = append(root.Routes, route.Config{Receivers: all, Continue: true})
	}
	for _, p := range []struct {
		severity string
		classes  []string
	}{
		{"critical", []string{ChannelWebhook, classChat, ChannelPagerDuty, classVoice}},
		{"high", []string{ChannelEmail, classSMS}},
		{"warn", []string{ChannelEmail}},
	} {
		var names []string
		for _, class := range p.classes {
			names = append(names, named[class]...)
		}
		if len(names) == 0 {
			names = receiverNames(rs)
		}
		root.Routes = append(root.Routes, route.Config{
			Match: []string{"severity = " + p.severity, notNamed(named)}, Receivers: names,
		})
	}
	return root
}

// policy gives the routes: those configured, or the default ones with what is configured of intervals and groups.
func (c *Config) policy() route.Config {
	r := c.Route
	if len(r.Match) > 0 || len(r.Receivers) > 0 || len(r.Routes) > 0 {
		return r
	}
	tree := DefaultRoute(c.Receivers)
	tree.RepeatInterval, tree.Repeat, tree.Escalate = r.RepeatInterval, r.Repeat, r.Escalate
	tree.GroupBy, tree.GroupWait, tree.GroupInterval = r.GroupBy, r.GroupWait, r.GroupInterval
	return tree
}

// byName gives the receivers of each kind and of each class.
func byName(rs []Receiver) map[string][]string {
	named := map[string][]string{}
	for i := range rs {
		kind, class := rs[i].Channel(), rs[i].class()
		named[kind] = append(named[kind], rs[i].Name)
		if class != kind {
			named[class] = append(named[class], rs[i].Name)
		}
	}
	return named
}

// notNamed matches alerts whose label names none of the channels that are there: a label that would reach nobody
// counts as none.
func notNamed(named map[string][]string) string {
	if len(named) == 0 {
		return `labels.` + NotifyLabel + ` =~ ".*"`
	}
	return `labels.` + NotifyLabel + ` !~ "(.*,)? *(` + strings.Join(slices.Sorted(maps.Keys(named)), "|") + `) *(,.*)?"`
}
