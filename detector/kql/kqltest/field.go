package kqltest

import (
	"path"
	"strings"

	"imwatch/event"

	"pgregory.net/rapid"
)

// spec is what stands before the colon: a name, or a pattern of names.
type spec struct {
	name string
	typ  event.Type // of values to draw
	wild bool
}

// target is one field that a spec stands for.
type target struct {
	name string
	typ  event.Type
	wild bool // it came of a pattern, so the value may not fit it
}

func fields() []spec {
	return []spec{
		{"event.action", event.Keyword, false},
		{"user.id", event.Keyword, false},
		{"url.path", event.Keyword, false},
		{"path", event.Keyword, false},
		{"event.category", event.Keyword, false},
		{"labels.a", event.Keyword, false},
		{"labels.team", event.Keyword, false},
		{"labels.a.b", event.Keyword, false},
		{"im.session.id", event.Keyword, false},
		{"level", event.Keyword, false},
		{"message", event.Text, false},
		{"error.message", event.Text, false},
		{"message", event.Text, false},
		{"http.response.status_code", event.Long, false},
		{"status", event.Long, false},
		{"event.duration", event.Long, false},
		{"im.heartbeat.rtt_ms", event.Float, false},
		{"im.sample.weight", event.Float, false},
		{"im.close.clean", event.Bool, false},
		{"@timestamp", event.Date, false},
		{"event.ingested", event.Date, false},
		{"tls.server.not_after", event.Date, false},
		{"client.ip", event.IP, false},
		{"client_ip", event.IP, false},
		{"client.geo.location", event.GeoPoint, false},
		{"im.alert.key", event.Flattened, false},
		{"im.bytes.*", event.Long, true},
		{"*.id", event.Keyword, true},
		{"labels.*", event.Keyword, true},
		{"l*", event.Keyword, true},
		{"im.close.*", event.Keyword, true},
		{"stat*", event.Long, true},
		{"*", event.Keyword, true},
		{"*message", event.Text, true},
		{"*ip", event.IP, true},
		{"event.*d", event.Date, true},
	}
}

// spelled writes the name, mostly as it is.
func (s spec) spelled(t *rapid.T) string {
	if !s.wild && rapid.IntRange(0, 9).Draw(t, "quoted name") == 0 {
		return `"` + s.name + `"`
	}
	return s.name
}

// ordered says whether the order of its values is asked for.
func (s spec) ordered() bool {
	switch s.typ {
	case event.Keyword, event.Long, event.Float, event.Date, event.IP:
		return !s.wild || s.typ == event.Long
	}
	return false
}

// targets are the fields of the data view that a spec stands for: those of the table, their short names, and the
// labels that some document has.
func (s spec) targets() []target {
	if !s.wild {
		f, _ := event.FieldByName(s.name)
		return []target{{s.name, f.Type, false}}
	}
	names := labels()
	for alias := range event.Aliases() {
		names = append(names, alias)
	}
	for _, f := range event.Fields() {
		names = append(names, f.Name)
	}
	var all []target
	for _, name := range names {
		f, _ := event.FieldByName(name)
		if ok, err := path.Match(s.name, name); err == nil && ok { // no field has a slash in its name
			all = append(all, target{name, f.Type, true})
		}
	}
	return all
}

// each joins what Kibana asks of every field.
func (s spec) each(one func(target) obj) obj {
	should := []obj{}
	for _, f := range s.targets() {
		if q := one(f); q != nil {
			should = append(should, q)
		}
	}
	return obj{"bool": obj{"should": should, "minimum_should_match": 1}}
}

// is asks one field for a value.
func (f target) is(v value) obj {
	switch {
	case v.stars() > 0 && v.stars() == len(v.runes):
		return obj{"exists": obj{"field": f.name}}
	case f.typ == event.GeoPoint || f.typ == event.Flattened:
		return nil // what Kibana asks is an error, or looks into the object
	case v.stars() > 0 && f.typ == event.Keyword:
		return obj{"wildcard": obj{f.name: obj{"value": v.queryString()}}}
	case v.stars() > 0 && f.typ == event.Text:
		return obj{"query_string": obj{"fields": []string{f.name}, "query": v.queryString()}}
	case v.stars() > 0:
		return nil // an error
	case f.typ == event.Date:
		if f.wild && !v.date {
			return nil // an error
		}
		return obj{"range": obj{f.name: obj{"gte": v.constant(), "lte": v.constant(), "time_zone": "UTC"}}}
	case f.typ == event.Keyword:
		return obj{"term": obj{f.name: obj{"value": v.constant()}}}
	}
	match := "match"
	if v.quoted {
		match = "match_phrase"
	}
	if !f.wild {
		return obj{match: obj{f.name: v.constant()}}
	}
	if f.typ != event.Text { // to others a phrase is a value; lenient where Kibana would give an error
		return obj{"match": obj{f.name: obj{"query": v.constant(), "lenient": true}}}
	}
	return obj{match: obj{f.name: obj{"query": v.constant()}}}
}

// compared asks one field for a range.
func (f target) compared(op string, v value) obj {
	r := obj{map[string]string{">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[op]: v.constant()}
	if f.typ == event.Date {
		r["time_zone"] = "UTC"
	}
	return obj{"range": obj{f.name: r}}
}

// escapeQueryString is Kibana's, for what stands between wildcards.
func escapeQueryString(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`+-=&|><!(){}[]^"~*?:\/`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
