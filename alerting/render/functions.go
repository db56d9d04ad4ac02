package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/template"
	"time"

	"imwatch/event"
)

// functions are what templates may call. None of them reads anything but its arguments.
func functions(lang string, zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"time":     func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05 -07:00") },
		"clock":    func(t time.Time) string { return t.In(zone).Format("15:04:05") },
		"duration": duration,
		"number":   number,
		"word":     func(key any) string { return word(lang, fmt.Sprint(key)) },
		"upper":    strings.ToUpper,
		"colour":   colour,
		"values":   values,
	}
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
	if lang != "zh" {
		if key == "repeat" {
			return "still firing"
		}
		return key
	}
	switch key {
	case "firing":
		return "触发"
	case "updated":
		return "升级"
	case "resolved":
		return "恢复"
	case "repeat":
		return "持续触发"
	case "info":
		return "信息"
	case "warn":
		return "警告"
	case "high":
		return "严重"
	case "critical":
		return "紧急"
	}
	return key
}
