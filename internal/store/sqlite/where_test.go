package sqlite

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/event/filter"
)

func on(name string) filter.Field {
	f, _ := event.FieldByName(name)
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

// TestRender shows what is left to SQL. That it is right is the suite's to say.
func TestRender(t *testing.T) {
	user := filter.Equal{Field: on("user.id"), Value: event.KeywordValue("u")}
	session := filter.Equal{Field: on("im.session.id"), Value: event.KeywordValue("s")}
	at := event.DateValue(time.Unix(1, 2))
	for _, c := range []struct {
		name string
		x    filter.Expr
		want clause
	}{
		{"nil", nil, clause{sql: "1", exact: true}},
		{"hot", user, clause{"(user_id IS ?)", []any{"u"}, true}},
		{"not hot", session, clause{sql: "1"}},
		{"and", filter.And{user, session}, clause{"((user_id IS ?) AND 1)", []any{"u"}, false}},
		{"or", filter.Or{user, session}, clause{"((user_id IS ?) OR 1)", []any{"u"}, false}},
		{
			"or of one column",
			filter.Or{user, session, filter.Equal{Field: on("user.id"), Value: event.KeywordValue("v")}},
			clause{"((user_id IS NOT NULL AND user_id IN (?,?)) OR 1)", []any{"u", "v"}, false},
		},
		{"not", filter.Not{X: user}, clause{"NOT (user_id IS ?)", []any{"u"}, true}},
		{"not of what is not exact", filter.Not{X: filter.And{user, session}}, clause{sql: "1"}},
		{"empty or", filter.Or{}, clause{sql: "0", exact: true}},
		{"time", filter.Range{Field: on("@timestamp"), From: &at}, clause{"((ts <> ?) AND ts > ?)", []any{int64(absent), int64(1_000_000_002)}, true}},
		{"address", filter.Equal{Field: on("client.ip"), Value: event.IPValue("::ffff:192.0.2.1")}, clause{"(client_ip IS ?)", []any{"192.0.2.1"}, true}},
		{
			"pattern",
			filter.Pattern{Field: on("url.path"), Parts: []string{"/ws[", "?", ""}},
			clause{"(url_path IS NOT NULL AND url_path GLOB ?)", []any{"/ws[[]*[?]*"}, true},
		},
		{"NUL", filter.Equal{Field: on("user.id"), Value: event.KeywordValue("\x00")}, clause{sql: "1"}},
		{"fraction on an integer", filter.Equal{Field: on("http.response.status_code"), Value: event.FloatValue(200)}, clause{sql: "1"}},
		{"prefix", filter.CIDR{Field: on("client.ip"), Prefix: "10.0.0.0/8"}, clause{sql: "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, render(c.x), cmp.AllowUnexported(clause{})); diff != "" {
				t.Errorf("clause (-want +got):\n%s", diff)
			}
		})
	}
}
