package redact

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/event"
	"imwatch/shipper/parse/mapping"
)

const key = "0123456789abcdef"

func made(tb testing.TB, cfg Config) *Redactor {
	tb.Helper()
	r, err := New(cfg, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// redacted gives the members of a line after the one that every event has.
func redacted(tb testing.TB, r *Redactor, members string) (string, bool) {
	tb.Helper()
	var e, again event.Event
	const head = `{"@timestamp":"2026-11-21T10:00:00Z"`
	if err := event.Decode([]byte(head+","+members+"}"), &e); err != nil {
		tb.Fatal(err)
	}
	changed := r.Event(&e)
	rec := e.AppendJSON(nil)
	if err := event.Decode(rec, &again); err != nil {
		tb.Fatalf("%v in %s", err, rec)
	}
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(string(rec), "}"), head), ","), changed
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	r := made(t, DefaultConfig())
	for _, tc := range []struct {
		in, want string
		changed  bool
	}{
		{`"url.path":"/ws/connect"`, `"url":{"path":"/ws/connect"}`, false},
		{`"url.path":"/ws?access_token=abc&x=1"`, `"url":{"path":"/ws?access_token=***&x=1"}`, true},
		{`"message":"GET /ws?Token=abc HTTP/1.1 failed"`, `"message":"GET /ws?Token=*** HTTP/1.1 failed"`, true},
		{`"message":"sent Authorization: Bearer abcdef.ghi"`, `"message":"sent Authorization: Bearer ***"`, true},
		{`"message":"jwt eyJhbGciOi.eyJzdWIi.c2ln seen"`, `"message":"jwt *** seen"`, true},
		{`"error.message":"bad password=hunter2"`, `"error":{"message":"bad password=***"}`, true},
		{`"message":"a=b c=d tokens=5"`, `"message":"a=b c=d tokens=5"`, false},
		{`"foreign.token":"abc","labels.a":"1"`, `"labels.a":"1"`, true},
		{`"foreign":{"req":{"Access-Token":"x","shard":3,"q":"token=s&a=b"}}`, `"foreign.req.shard":3,"foreign.req.q":"token=***&a=b"`, true},
		{`"foreign.list":[{"password":"x","user":"u"}]`, `"foreign.list":[{"password":"***","user":"u"}]`, true},
		{`"foreign.list":["?token=x","b"]`, `"foreign.list":["?token=***","b"]`, true},
		{`"labels.phone":"13800138000","labels.phones_seen":"3"`, `"labels.phones_seen":"3"`, true},
		{`"foreign.content":"hello","foreign.msg_body":"x","foreign.size":"12"`, `"foreign.size":"12"`, true},
	} {
		got, changed := redacted(t, r, tc.in)
		if d := cmp.Diff(tc.want, got); d != "" || changed != tc.changed {
			t.Errorf("%s: %v %s", tc.in, changed, d)
		}
		if again, changed := redacted(t, r, orNone(got)); changed || again != orNone(got) {
			t.Errorf("%s became %s the second time", got, again)
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return `"labels.none":"x"`
	}
	return s
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule     Rule
		in, want string
	}{
		{Rule{Fields: mapping.Names{"user.id"}, Do: Hash}, `"user.id":"u1"`, `"user":{"id":"HASH"}`},
		{Rule{Fields: mapping.Names{"user.id"}, Do: Mask}, `"user.id":"u1"`, `"user":{"id":"***"}`},
		{Rule{Fields: mapping.Names{"user.id"}, Do: Drop}, `"user.id":"u1","device.id":"d"`, `"device":{"id":"d"}`},
		{Rule{Fields: mapping.Names{"client.ip"}, Do: Mask}, `"client.ip":"192.0.2.77"`, `"client":{"ip":"192.0.2.0"}`},
		{Rule{Fields: mapping.Names{"client.ip"}, Do: Mask}, `"client.ip":"2001:db8:1:2::3"`, `"client":{"ip":"2001:db8:1::"}`},
		{Rule{Fields: mapping.Names{"client.port", "im.close.code"}, Do: Drop}, `"client.port":1,"im.close.code":1000,"user.id":"u"`, `"user":{"id":"u"}`},
		{Rule{Match: `\b1[3-9]\d{9}\b`, Do: Mask}, `"message":"call 13800138000 now","labels.x":"13800138000","foreign.n":13800138000`, `"message":"call *** now","labels.x":"***","foreign.n":"***"`},
		{Rule{Match: `user=(\w+)`, Do: Hash}, `"message":"user=u1 left, user=u1"`, `"message":"user=HASH left, user=HASH"`},
		{Rule{Match: `, secret \w+`, Do: Drop}, `"error.message":"bad, secret x"`, `"error":{"message":"bad"}`},
		{Rule{Fields: mapping.Names{"foreign.*.name", "labels.*"}, Do: Mask}, `"foreign":{"a":{"name":"n","age":3}},"labels.b":"c"`, `"foreign.a.name":"***","foreign.a.age":3,"labels.b":"***"`},
		{Rule{Fields: mapping.Names{"foreign.a"}, Do: Hash}, `"foreign.a":"u1"`, `"foreign.a":"HASH"`},
		{Rule{Fields: mapping.Names{"user.id"}, Match: "x", Do: Mask}, `"user.id":["x1","y"]`, `"user":{"id":["***1","y"]}`},
	} {
		r := made(t, Config{Key: key, Rules: []Rule{tc.rule}})
		got, changed := redacted(t, r, tc.in)
		want := strings.ReplaceAll(tc.want, "HASH", r.hash("u1"))
		if d := cmp.Diff(want, got); d != "" || !changed {
			t.Errorf("%+v: %v %s", tc.rule, changed, d)
		}
	}
}

func TestOriginals(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Key, cfg.Rules = key, []Rule{{Fields: mapping.Names{"user.id", "labels.mail*"}, Do: Mask}, {Match: `\b1[3-9]\d{9}\b`, Do: Mask}}
	line := `{"a":1,"Access_Token":"x","user":{"id":"u1"},"mailbox":7,"q":"GET /?token=abc","n":13800138000`
	if got := made(t, cfg).Original(line); got != line {
		t.Errorf("not asked for, and yet %s", got)
	}
	cfg.DeadLetters = true
	want := `{"a":1,"Access_Token":"***","user":{"id":"***"},"mailbox":"***","q":"GET /?token=***","n":***`
	if d := cmp.Diff(want, made(t, cfg).Original(line)); d != "" {
		t.Error(d)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Key: "short", Rules: []Rule{
		{Do: Mask},
		{Match: "(", Do: Mask},
		{Match: "x*", Do: Mask},
		{Fields: mapping.Names{"user.idd"}, Do: Mask},
		{Fields: mapping.Names{"event.id"}, Do: Mask},
		{Fields: mapping.Names{"client.ip"}, Do: Hash},
		{Fields: mapping.Names{"client.port"}, Do: Mask},
		{Fields: mapping.Names{"client.port"}, Match: "1", Do: Drop},
		{Fields: mapping.Names{"message"}, Do: Drop},
		{Fields: mapping.Names{"user.id"}, Do: "burn"},
	}}, nil)
	if err == nil {
		t.Fatal("taken")
	}
	want := "key: 5 bytes, at least 16 are needed\n" +
		"rules[0].fields: fields or match are needed\n" +
		"rules[1].match: error parsing regexp: missing closing ): `(`\n" +
		"rules[2].match: \"x*\" fits the empty text\n" +
		"rules[3].fields: \"user.idd\" is no field of the contract; did you mean \"user.id\"?\n" +
		"rules[4].fields: the pipeline needs event.id as it is\n" +
		"rules[5].fields: client.ip is a ip and cannot be a hash; allowed are mask and drop\n" +
		"rules[6].fields: client.port is a long and cannot be masked; allowed is drop\n" +
		"rules[7].fields: client.port is a long, in which match finds nothing; take the whole value\n" +
		"rules[8].fields: an event needs its message; mask it\n" +
		"rules[9].do: found \"burn\", allowed are mask, hash and drop"
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
	if err := (Config{Rules: []Rule{{Fields: mapping.Names{"user.id"}, Do: Hash}}}).Validate(); err == nil || !strings.Contains(err.Error(), "hash needs redact.key") {
		t.Error(err)
	}
}

// Whatever stands in an event, it can be read again after the rules.
func FuzzEvent(f *testing.F) {
	f.Add(`{"@timestamp":"2026-11-21T10:00:00Z","message":"?token=a","foreign":{"x":[{"password":"y"}],"phone":1}}`)
	cfg := DefaultConfig()
	cfg.Key, cfg.DeadLetters, cfg.Rules = key, true, []Rule{{Match: `\d{5,}`, Do: Mask}, {Fields: mapping.Names{"foreign.*"}, Match: "a+", Do: Drop}, {Fields: mapping.Names{"client.ip"}, Do: Mask}}
	r, err := New(cfg, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_ = r.Original(line)
		var e, again event.Event
		if event.Decode([]byte(line), &e) != nil {
			return
		}
		r.Event(&e)
		rec := e.AppendJSON(nil)
		if err := event.Decode(rec, &again); err != nil && len(rec) <= event.MaxLine {
			t.Fatalf("%v in %s", err, rec)
		}
	})
}

func BenchmarkNothingToTakeOut(b *testing.B) {
	r := made(b, DefaultConfig())
	var e event.Event
	if err := event.Decode([]byte(`{"@timestamp":"2026-11-21T10:00:00.123Z","event":{"id":"im-1-6aa0b2c4-0000000012","action":"disconnect"},"message":"connection ended","user":{"id":"u-123456"},"client":{"ip":"192.0.2.33"},"im":{"connection":{"id":"c-123456"}}}`), &e); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r.Event(&e) {
			b.Fatal("changed")
		}
	}
}
