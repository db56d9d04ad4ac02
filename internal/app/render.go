package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/channel"
	"imwatch/alerting/render"
	"imwatch/detector/rule"
	"imwatch/event"
)

// RenderOptions are the flags of alerts render.
type RenderOptions struct {
	Rules    string   // file or folder; "": the shipped rules
	Rule     string   // id
	Channel  string   // kind of channel; "": wecom
	Receiver string   // one of the configuration's, in place of Channel and Format; "": none
	Format   string   // of the channel; "": its default
	Language string   // "": that of the configuration
	State    string   // firing, updated, resolved or repeat
	Key      []string // "field=value"; what is not given is made up
	Group    int      // so many alerts in the one message of their group; 0: one alert by itself
}

// maxGroup is how many alerts of a group one message tells.
const maxGroup = 500

// RenderAlert shows what would be sent about an alert of a rule, or about a group of them, made up for it. Nothing is
// sent and no secret is needed: cfg says links, zone, language, templates and, with o.Receiver, how that one is told.
func RenderAlert(ctx context.Context, cfg Config, o RenderOptions, streams Streams) error {
	r, err := findRule(ExplainOptions{Rules: o.Rules, Rule: o.Rule}, streams)
	if err != nil {
		return err
	}
	given, err := readKey(o.Key)
	if err != nil {
		return err
	}
	states := []string{string(channel.Firing), string(channel.Updated), string(channel.Resolved), string(channel.Repeat)}
	if o.Receiver != "" && (o.Channel != "" || o.Format != "") {
		return Usagef("--receiver has a channel and a format of its own: leave out --channel and --format")
	}
	if o.Group != 0 && (o.Group < 2 || o.Group > maxGroup) {
		return Usagef("--group: found %d, expected 2 to %d alerts", o.Group, maxGroup)
	}
	if o.Channel == "" {
		o.Channel = alerting.ChannelWeCom
	}
	for _, check := range []error{
		channel.CheckOneOf("--state", o.State, states...), channel.CheckOneOf("--channel", o.Channel, alerting.Channels()...),
		channel.CheckOneOf("--language", cmp.Or(o.Language, cfg.Alerting.Language), render.Languages()...),
	} {
		if check != nil {
			return &UsageError{check}
		}
	}
	alerts := make([]*event.Alert, max(o.Group, 1))
	for i := range alerts {
		alerts[i] = madeUp(r, channel.Kind(o.State), given, i+1)
		if err := r.Render(alerts[i]); err != nil && i == 0 {
			fmt.Fprintf(streams.Err, "%v\n", err) // it is told as written in the rule, then
		}
	}
	if err := alerting.Preview(ctx, cfg.Alerting, alerting.PreviewOptions{
		Channel: o.Channel, Format: o.Format, Receiver: o.Receiver, Language: o.Language, Kind: channel.Kind(o.State), Alerts: alerts,
	}, streams.Out); err != nil {
		return &UsageError{err}
	}
	return nil
}

// madeUp gives the n-th alert of a rule as it could be: keys of the documentation's addresses and names, and a value just
// past the limit.
func madeUp(r *rule.Rule, kind channel.Kind, given []event.KeyPart, n int) *event.Alert {
	from := time.Date(2026, 11, 21, 6, 30, n-1, 0, time.UTC)
	a := &event.Alert{
		Time: from.Add(95 * time.Second), From: from, State: string(kind), RuleID: r.ID, RuleName: r.Title, Status: r.Status, Severity: r.Severity,
		Limit: r.Detect.Limit(), Window: r.Detect.WindowText(), Labels: r.Labels, Top: map[string][]event.TopValue{},
	}
	a.Value = past(a.Limit)
	for _, f := range r.KeyFields() {
		value := stand(f.Name, n)
		if i := slices.IndexFunc(given, func(p event.KeyPart) bool { return p.Field == f.Name }); i >= 0 {
			value = given[i].Value
		}
		a.Key = append(a.Key, event.KeyPart{Field: f.Name, Value: value})
	}
	for _, t := range r.Evidence.Top {
		for i := range t.N {
			a.Top[t.Field.Name] = append(a.Top[t.Field.Name], event.TopValue{Value: stand(t.Field.Name, i+1), Count: float64(t.N - i)})
		}
	}
	a.ID = event.AlertID(r.ID, a.KeyString(), from.UnixNano())
	switch kind {
	case channel.Resolved:
		a.Time = from.Add(12 * time.Minute)
		a.To = a.Time
	case channel.Updated:
		a.Value *= 2
	case channel.Repeat:
		a.State = event.StateFiring
	}
	return a
}

// stand gives the n-th example of a field's values.
func stand(field string, n int) string {
	f, ok := event.FieldByName(field)
	switch {
	case ok && f.Type == event.IP:
		if n > 254 {
			return "198.51.100." + strconv.Itoa(n-254)
		}
		return "192.0.2." + strconv.Itoa(n)
	case ok && (f.Type == event.Long || f.Type == event.Float):
		return strconv.Itoa(n)
	case strings.HasSuffix(field, "trace.id"):
		return fmt.Sprintf("0af7651916cd43dd8448eb211c80%04x", 0x3190+n)
	}
	name := field[strings.LastIndexByte(field, '.')+1:]
	return name + "-" + strconv.Itoa(n)
}

var aNumber = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// past gives a value just past a limit such as "> 20".
func past(limit string) float64 {
	v, err := strconv.ParseFloat(aNumber.FindString(limit), 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 1
	case strings.Contains(limit, "<"):
		return v - 1
	}
	return v + 1
}
