package storetest

import (
	"strings"
	"time"

	"pgregory.net/rapid"

	"imwatch/event"
	"imwatch/event/filter"
)

// The values are few, so that events and conditions meet, and each is there to be awkward for some store.

func keywords() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{
		"", "a", "A", "b", "a*b", "a?b", "a[b]", `a\b`, `a"b`, "a b", "ab", "aab", "abb", "é", "é", "漢字", "😀", "a\u0000b", "%", "_",
		"OR", "~", "-1", "10", "9", "true", "connect", strings.Repeat("long", 300),
	})
}

func words() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{
		"quick", "Brown", "fox", "the", "10.5", "u_1", "don't", "漢字", "a.b", "x-y", "192.0.2.1", "/ws/connect", "Ünï", "50%", "…", "k:v",
	})
}

func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(words(), 0, 5).Draw(t, "words"), rapid.SampledFrom([]string{" ", ", ", " - "}).Draw(t, "between"))
	})
}

func longs() *rapid.Generator[int64] {
	return rapid.SampledFrom([]int64{0, 1, -1, 200, 401, 500, 1<<53 + 1, 1 << 53, -1 << 63, 1<<63 - 1, 4001})
}

func floats() *rapid.Generator[float64] {
	return rapid.SampledFrom([]float64{0, 1, 1.5, 0.1, 0.10000000149011612, 0.1000001, -2.25, 1e-40, 3e38, 16777217, 401})
}

func addresses() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{
		"192.0.2.1", "192.0.2.2", "192.0.3.1", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:DB8:0:0::1", "2001:db8::ff", "::", "0.0.0.0", "255.255.255.255",
	})
}

// instants are around few milliseconds, on both sides of their borders.
func instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		ms := rapid.IntRange(-1, 2).Draw(t, "ms")
		ns := rapid.SampledFrom([]int{0, 0, 1, 500_000, 999_999}).Draw(t, "ns")
		return base().Add(time.Duration(ms)*time.Millisecond + time.Duration(ns))
	})
}

// value draws a value of a type, as it stands in a line.
func value(typ event.Type) *rapid.Generator[event.Value] {
	return rapid.Custom(func(t *rapid.T) event.Value {
		switch typ {
		case event.Text:
			return event.TextValue(texts().Draw(t, "text"))
		case event.Long:
			return event.LongValue(longs().Draw(t, "long"))
		case event.Float:
			return event.FloatValue(floats().Draw(t, "float"))
		case event.Bool:
			return event.BoolValue(rapid.Bool().Draw(t, "bool"))
		case event.Date:
			return event.DateValue(instants().Draw(t, "date"))
		case event.IP:
			return event.IPValue(addresses().Draw(t, "ip"))
		case event.GeoPoint:
			return event.PointValue(float64(rapid.IntRange(-90, 90).Draw(t, "lat")), float64(rapid.IntRange(-180, 180).Draw(t, "lon")))
		case event.Flattened:
			return event.Value{Type: event.Flattened, Text: `{"client.ip":"192.0.2.1"}`}
		}
		return event.KeywordValue(keywords().Draw(t, "keyword"))
	})
}

// busy are the fields that most events have, so that conditions on several fields meet; all others are rare.
func busy() []string {
	return []string{
		"event.action", "log.level", "user.id", "client.ip", "http.response.status_code", "event.category",
		"im.heartbeat.rtt_ms", "im.close.clean", "message", "event.ingested", "im.sample.weight", "im.session.id",
	}
}

func anyField() *rapid.Generator[filter.Field] {
	var all []filter.Field
	for _, f := range event.Fields() {
		if f.Type != event.GeoPoint && f.Type != event.Flattened {
			all = append(all, filter.Field{Name: f.Name, ID: f.ID, Type: f.Type})
		}
	}
	var often []filter.Field
	for _, name := range append(busy(), "@timestamp", "labels.a", "labels.b", "labels.none") {
		often = append(often, field(name))
	}
	return rapid.OneOf(rapid.SampledFrom(often), rapid.SampledFrom(often), rapid.SampledFrom(all))
}

// bodies draws a line: the time, some busy fields, a few others, labels.
func bodies(id string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		e := &event.Event{}
		e.SetTime(event.FieldTimestamp, instants().Draw(t, "@timestamp"))
		e.SetText(event.FieldEventID, id)
		names := rapid.SliceOfN(rapid.SampledFrom(busy()), 4, 10).Draw(t, "busy")
		rare := rapid.SliceOfN(rapid.SampledFrom(event.Fields()), 0, 6).Draw(t, "rare")
		for _, f := range rare {
			names = append(names, f.Name)
		}
		for _, name := range names {
			set(t, e, field(name))
		}
		line := string(e.AppendJSON(nil))
		labels := rapid.SampledFrom([]string{``, ``, `,"labels.a":"a"`, `,"labels":{"a":"b","b":["a","b"]}`, `,"labels.b":10`, `,"labels.a":""`}).Draw(t, "labels")
		return strings.TrimSuffix(line, "}") + labels + "}"
	})
}

func set(t *rapid.T, e *event.Event, f filter.Field) {
	if f.ID == event.FieldTimestamp || f.ID == event.FieldEventID {
		return
	}
	v := value(f.Type).Draw(t, f.Name)
	if f.ID == event.FieldSampleWeight { // sums of extreme ones would say more of rounding than of the store
		v = event.FloatValue(rapid.SampledFrom([]float64{0.5, 1, 10, 1.0 / 3}).Draw(t, "weight"))
	}
	if f.Type == event.Keyword && rapid.IntRange(0, 3).Draw(t, "list?") == 0 {
		v.List = []event.Value{v, event.KeywordValue(keywords().Draw(t, "second"))}
	}
	e.Set(f.ID, v)
}
