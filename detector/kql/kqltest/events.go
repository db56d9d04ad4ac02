package kqltest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"imwatch/event"

	"pgregory.net/rapid"
)

// bodies draws a document as some other server may have written it: nested or dotted names, numbers as strings and
// with fractions, lists, nulls, dates in zones. A fine one has instants and floats that Elasticsearch rounds.
func bodies(id string, fine bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		members := []string{`"event.id":` + quoted(id), `"@timestamp":` + quoted(stamp(t, fine))}
		for _, f := range event.Fields() {
			often := 12
			if busy(f.Name) {
				often = 2
			}
			if f.Name == "@timestamp" || f.Name == "event.id" || rapid.IntRange(1, often).Draw(t, "has") > 1 {
				continue
			}
			members = append(members, quoted(f.Name)+":"+several(t, f.Type, fine))
		}
		for _, name := range labels() {
			if rapid.IntRange(0, 2).Draw(t, "label?") == 0 {
				members = append(members, quoted(name)+":"+several(t, event.Keyword, fine))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	})
}

func labels() []string { return []string{"labels.a", "labels.team", "labels.a.b"} }

// busy are the fields that queries are mostly about.
func busy(name string) bool {
	for _, f := range fields() {
		if f.name == name {
			return true
		}
	}
	return false
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// several draws one value, a list, or nothing in one of its forms.
func several(t *rapid.T, typ event.Type, fine bool) string {
	if typ == event.GeoPoint || typ == event.Flattened {
		return one(t, typ, fine)
	}
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		return rapid.SampledFrom([]string{"null", "[]", "[null]"}).Draw(t, "nothing")
	case 1:
		return "[" + one(t, typ, fine) + "]"
	case 2, 3:
		return "[" + one(t, typ, fine) + "," + one(t, typ, fine) + "]"
	}
	return one(t, typ, fine)
}

func one(t *rapid.T, typ event.Type, fine bool) string {
	switch typ {
	case event.Text:
		return quoted(sentence(t))
	case event.Long:
		n := rapid.SampledFrom(longs()).Draw(t, "long")
		forms := []string{fmt.Sprint(n), fmt.Sprint(n), quoted(fmt.Sprint(n))}
		if n > -1<<40 && n < 1<<40 {
			forms = append(forms, fmt.Sprint(n)+".0", quoted(fmt.Sprint(n)+".0"))
		}
		return rapid.SampledFrom(forms).Draw(t, "form")
	case event.Float:
		text := fmt.Sprint(rapid.SampledFrom(floats(fine)).Draw(t, "float"))
		return rapid.SampledFrom([]string{text, quoted(text)}).Draw(t, "form")
	case event.Bool:
		return rapid.SampledFrom([]string{"true", "false", `"true"`, `"false"`}).Draw(t, "bool")
	case event.Date:
		return quoted(stamp(t, fine))
	case event.IP:
		return quoted(rapid.SampledFrom(addresses()).Draw(t, "ip"))
	case event.GeoPoint:
		return rapid.SampledFrom([]string{`{"lat":1,"lon":2}`, `"1,2"`, "[2,1]"}).Draw(t, "point")
	case event.Flattened:
		return rapid.SampledFrom([]string{`{"client.ip":"192.0.2.1"}`, `{"a":"connect"}`, "{}"}).Draw(t, "object")
	}
	return quoted(rapid.SampledFrom(keywords()).Draw(t, "keyword"))
}

func sentence(t *rapid.T) string {
	between := rapid.SampledFrom([]string{" ", ", ", " - ", "\n"}).Draw(t, "between")
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words()), 0, 5).Draw(t, "words"), between)
}

func stamp(t *rapid.T, fine bool) string {
	at := instants(fine).Draw(t, "instant")
	zone := time.UTC
	if rapid.IntRange(0, 4).Draw(t, "zone?") == 0 {
		zone = time.FixedZone("", 8*3600)
	}
	layout := "2006-01-02T15:04:05.000Z07:00"
	if at.Nanosecond()%1e6 != 0 {
		layout = time.RFC3339Nano
	}
	return at.In(zone).Format(layout)
}
