package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/template"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// functions are what templates may call. None of them reads anything but its arguments.
func functions(lang string, zone *time.Location, s Style) template.FuncMap {
	return template.FuncMap{
		"time":     func(t time.Time) string { return stamp(t, zone) },
		"clock":    func(t time.Time) string { return t.In(zone).Format("15:04:05") },
		"in":       in,
		"duration": duration,
		"bytes":    size,
		"number":   number,
		"word":     func(key any) string { return word(lang, fmt.Sprint(key)) },
		"upper":    strings.ToUpper,
		"colour":   colour,
		"values":   values,
		"heading":  s.heading,
		"item":     s.item,
		"link":     s.link,
		"links":    s.links,
		"picture":  func() string { return channel.PictureMark },
		"table":    s.table,
		"list":     func(texts ...string) []string { return texts },
	}
}

func stamp(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05 -07:00")
}

// in shows an instant in a zone of its own: in "America/New_York" .From.
func in(zone string, t time.Time) (string, error) {
	z, err := time.LoadLocation(zone)
	if err != nil {
		return "", fmt.Errorf("found zone %q, expected an IANA name such as Asia/Shanghai", zone)
	}
	return stamp(t, z), nil
}

// size prints a number of bytes: 1.5 KiB.
func size(n any) (string, error) {
	f, err := strconv.ParseFloat(fmt.Sprint(n), 64)
	if err != nil {
		return "", fmt.Errorf("bytes: found %v, expected a number", n)
	}
	unit := "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if math.Abs(f) < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + " " + unit, nil
}

// rows are what cards show of an alert.
func rows(v *view, lang string, zone *time.Location) []channel.Field {
	out := []channel.Field{
		{ID: "state", Name: word(lang, "state"), Text: word(lang, string(v.Kind))},
		{ID: "severity", Name: word(lang, "severity"), Text: word(lang, v.Severity)},
		{ID: "rule", Name: word(lang, "rule"), Text: v.Rule},
		{ID: "key", Name: word(lang, "key"), Text: v.KeyText},
		{ID: "value", Name: word(lang, "value"), Text: number(v.Value) + " (" + v.Limit + ")"},
		{ID: "since", Name: word(lang, "since"), Text: stamp(v.From, zone)},
	}
	if v.Passed != "" {
		out = append(out, channel.Field{ID: "passed", Name: word(lang, "passed"), Text: v.Passed})
	}
	if !v.To.IsZero() {
		out = append(out, channel.Field{ID: "ended", Name: word(lang, "ended"), Text: stamp(v.To, zone)})
	}
	if v.Lasted > 0 {
		out = append(out, channel.Field{ID: "lasted", Name: word(lang, "lasted"), Text: duration(v.Lasted)})
	}
	return out
}

// duration prints the two largest units: 1h30m, 2d4h, 45s.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + duration(-d)
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	}
	var b strings.Builder
	units := 0
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := int64(d / u.d); n > 0 && units < 2 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d %= u.d
			units++
		} else if units > 0 {
			units = 2
		}
	}
	return b.String()
}

// number prints a value without noise: whole numbers whole, others with at most three decimals.
func number(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 3, 64), "0"), ".")
}

func values(vs []event.TopValue) string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = v.Value + " ×" + number(v.Count)
	}
	return strings.Join(parts, ", ")
}

// colour gives one of WeCom's three colours for a notification.
func colour(v view) string {
	switch {
	case v.Kind == "resolved":
		return "info" // green
	case v.Severity == "high", v.Severity == "critical":
		return "warning" // orange
	}
	return "comment" // grey
}

// word translates what the pipeline says itself; what it does not know stays.
func word(lang, key string) string {
	words := english()
	if lang == "zh" {
		words = chinese()
	}
	if w, ok := words[key]; ok {
		return w
	}
	return key
}

func english() map[string]string {
	return map[string]string{
		"repeat": "still firing", "state": "State", "severity": "Severity", "rule": "Rule", "key": "Key", "value": "Value", "since": "Since",
		"ended": "Ended", "lasted": "Lasted", "console": "Console", "events": "Events", "trace": "Trace", "runbook": "Runbook", "ack": "Acknowledge", "passed": "Passed on", "silence": "Silence 1h", "extend": "Extend by 1h",
		"ack all": "Acknowledge all", "silence all": "Silence all for 1h",
	}
}

func chinese() map[string]string {
	return map[string]string{
		"firing": "触发", "updated": "升级", "resolved": "恢复", "repeat": "持续触发", "digest": "汇总",
		"info": "信息", "warn": "警告", "high": "严重", "critical": "紧急",
		"state": "状态", "severity": "级别", "rule": "规则", "key": "对象", "value": "数值", "since": "开始", "ended": "结束", "lasted": "历时",
		"console": "控制台", "events": "日志", "trace": "链路", "runbook": "处理手册", "ack": "确认", "escalated": "上报", "passed": "上报原因", "silence": "静默1小时", "extend": "延长1小时",
		"ack all": "全部确认", "silence all": "全部静默1小时",
	}
}
