package filter_test

import (
	"strings"
	"testing"

	"imwatch/event"
	"imwatch/event/filter"

	"github.com/google/go-cmp/cmp"
)

func field(tb testing.TB, name string) filter.Field {
	tb.Helper()
	f, ok := event.FieldByName(name)
	if !ok {
		tb.Fatalf("no field %s", name)
	}
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}
}

func value(tb testing.TB, typ event.Type, s string) event.Value {
	tb.Helper()
	v, ok := event.Parse(typ, s)
	if !ok {
		tb.Fatalf("%q is no %s", s, typ)
	}
	return v
}

const line = `{"@timestamp":"2026-11-21T10:00:00Z","event":{"action":"connect","category":["session","network"],"duration":1500},
	"client":{"ip":"192.0.2.7"},"message":"User's token_expired, v1.2 登录 failed","im":{"close":{"clean":false}},"labels":{"team":"im"}}`

func TestCompile(t *testing.T) {
	var e event.Event
	if err := event.Decode([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	action, category := field(t, "event.action"), field(t, "event.category")
	duration, ip, message, at := field(t, "event.duration"), field(t, "client.ip"), field(t, "message"), field(t, "@timestamp")
	low, high := event.LongValue(1000), event.LongValue(1500)
	day := value(t, event.Date, "2026-11-21T10:00:00Z")
	from, to := value(t, event.IP, "192.0.2.0"), value(t, event.IP, "192.0.2.7")
	for name, c := range map[string]struct {
		x    filter.Expr
		want bool
	}{
		"nil is all":            {nil, true},
		"all":                   {filter.All{}, true},
		"none":                  {filter.None{}, false},
		"empty and":             {filter.And{}, true},
		"empty or":              {filter.Or{}, false},
		"equal":                 {filter.Equal{action, event.KeywordValue("connect")}, true},
		"case matters":          {filter.Equal{action, event.KeywordValue("Connect")}, false},
		"any of a list":         {filter.Equal{category, event.KeywordValue("network")}, true},
		"number":                {filter.Equal{duration, event.LongValue(1500)}, true},
		"bool":                  {filter.Equal{field(t, "im.close.clean"), event.BoolValue(false)}, true},
		"label":                 {filter.Equal{field(t, "labels.team"), event.KeywordValue("im")}, true},
		"address in IPv6":       {filter.Equal{ip, value(t, event.IP, "::ffff:192.0.2.7")}, true},
		"not of absent":         {filter.Not{filter.Equal{field(t, "user.id"), event.KeywordValue("u")}}, true},
		"exists":                {filter.Exists{action}, true},
		"exists not":            {filter.Exists{field(t, "user.id")}, false},
		"range closed":          {filter.Range{Field: duration, From: &low, To: &high, ToClosed: true}, true},
		"range open":            {filter.Range{Field: duration, From: &low, To: &high}, false},
		"range of addresses":    {filter.Range{Field: ip, From: &from, FromClosed: true, To: &to, ToClosed: true}, true},
		"range of dates":        {filter.Range{Field: at, From: &day, FromClosed: true}, true},
		"after the date":        {filter.Range{Field: at, From: &day}, false},
		"prefix":                {filter.Pattern{action, []string{"con", ""}}, true},
		"middle":                {filter.Pattern{action, []string{"c", "n", "t"}}, true},
		"overlap is no match":   {filter.Pattern{action, []string{"conn", "nect"}}, false},
		"whole":                 {filter.Pattern{action, []string{"connect"}}, true},
		"cidr":                  {filter.CIDR{ip, "192.0.2.0/24"}, true},
		"cidr not":              {filter.CIDR{ip, "10.0.0.0/8"}, false},
		"any word":              {filter.Words{Field: message, Words: []string{"nothing", "failed"}}, true},
		"joined word":           {filter.Words{Field: message, Words: []string{"token"}}, false},
		"phrase":                {filter.Words{Field: message, Words: []string{"token_expired", "v1.2"}, Phrase: true}, true},
		"phrase in other order": {filter.Words{Field: message, Words: []string{"v1.2", "token_expired"}, Phrase: true}, false},
		"and":                   {filter.And{filter.Exists{action}, filter.None{}}, false},
		"or":                    {filter.Or{filter.Exists{action}, filter.None{}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := filter.Compile(c.x)(&e); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestTokenize(t *testing.T) {
	for s, want := range map[string][]string{
		"":                           nil,
		"User's token_expired, v1.2": {"user's", "token_expired", "v1.2"},
		"登录failed":                   {"登", "录", "failed"},
		"a.b 1,000.5 x,y end.":       {"a.b", "1,000.5", "x", "y", "end"},
		"10.0.0.1:8080":              {"10.0.0.1", "8080"},
	} {
		if diff := cmp.Diff(want, filter.Tokenize(s)); diff != "" {
			t.Errorf("%q: -want +got\n%s", s, diff)
		}
	}
}

// TestTokenizeAsElasticsearch has answers of the standard analyzer, for those who have no server at hand. The suite of
// Elasticsearch's adapter compares all characters.
func TestTokenizeAsElasticsearch(t *testing.T) {
	for s, want := range map[string][]string{
		"don't can''t 'x'":          {"don't", "can", "t", "x"},
		"_a__b_ __ 1_2":             {"_a__b_", "1_2"},
		"アイウあい漢字한글abc":              {"アイウ", "あ", "い", "漢", "字", "한글abc"},
		"สวัสดีชาวโลก":              {"สวัสดีชาวโลก"},
		`צה"ל ג' a"b`:               {`צה"ל`, "ג'", "a", "b"},
		"👩‍💻 👍🏽 🇨🇳 1️⃣ #️⃣ ©":       {"👩‍💻", "👍🏽", "🇨🇳", "1️⃣", "#️⃣", "©"},
		"a\u0301b a\u200bb ½ ٣":     {"a\u0301b", "a", "b", "٣"},
		"ΣΑΣ İ ẞ":                   {"σασ", "i", "ß"},
		strings.Repeat("a", 300):    {strings.Repeat("a", 255), strings.Repeat("a", 45)},
		strings.Repeat("𐐷", 130):    {strings.Repeat("𐐷", 127), strings.Repeat("𐐷", 3)},
		"v1.2.3-rc1 10,5 a.1 1:2":   {"v1.2.3", "rc1", "10,5", "a", "1", "1", "2"},
		"/ws/connect?x=1&y=%20 a:b": {"ws", "connect", "x", "1", "y", "20", "a:b"},
	} {
		if diff := cmp.Diff(want, filter.Tokenize(s)); diff != "" {
			t.Errorf("%q: -want +got\n%s", s, diff)
		}
	}
}

// FuzzTokenize wants words of any text that are not empty, in order and inside it.
func FuzzTokenize(f *testing.F) {
	for _, s := range []string{"", "a b", "צה\"ל", "👩‍💻\u200d", "1️⃣", "\xff\xfe", "สวัสดี\u0e31", "_\u0301_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rest := strings.ToLower(s)
		for _, w := range filter.Tokenize(s) {
			at := strings.Index(rest, w)
			if w == "" || at < 0 {
				t.Fatalf("%q: word %q is not in %q", s, w, rest)
			}
			rest = rest[at+len(w):]
		}
	})
}
