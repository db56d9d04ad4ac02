package sms_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/sms"
)

func start(t *testing.T) *robot.Robot {
	t.Helper()
	r, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func gateway(t *testing.T, r *robot.Robot, change func(*sms.Config)) *sms.Gateway {
	t.Helper()
	cfg := sms.DefaultConfig()
	cfg.URL, cfg.Numbers, cfg.AllowPrivate, cfg.Token = r.SMSURL(), []string{"+8613800000001", "+8613800000002"}, true, "tok3n"
	cfg.Form = map[string]string{"to": "{{.Number}}", "text": "[imwatch] {{.Text}}", "key": "{{.Token}}"}
	cfg.Success = `code == "OK"`
	cfg.RetryWhen = `code == "isv.BUSINESS_LIMIT_CONTROL"`
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate("sms"); err != nil {
		t.Fatal(err)
	}
	g, err := sms.New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func note(body string) channel.Notification {
	return channel.Notification{ID: "n1", Kind: channel.Firing, Message: channel.Message{Body: body}}
}

func TestEachNumberOnce(t *testing.T) {
	r := start(t)
	g := gateway(t, r, nil)
	r.Plan(robot.SMS, robot.Answer{Body: `{"code":"OK"}`, Accept: true}, robot.Answer{Body: `{"code":"isv.BUSINESS_LIMIT_CONTROL","to":"+8613800000002","k":"tok3n"}`})
	n := note("node down")
	first := g.Send(t.Context(), n)
	if first.Verdict != channel.Retry || len(first.Took) != 1 || strings.Contains(first.Words, "138") || strings.Contains(first.Words, "tok3n") || strings.Contains(first.Took[0], "138") {
		t.Fatalf("%+v", first)
	}
	n.Done = first.Took
	if second := g.Send(t.Context(), n); second.Verdict != channel.Accepted || len(second.Took) != 1 {
		t.Fatalf("%+v", second)
	}
	got := r.Received()
	if len(got) != 2 || got[0].To != "+8613800000001" || got[1].To != "+8613800000002" || got[1].Text != "[imwatch] node down" {
		t.Errorf("%+v", got)
	}
}

func TestJSONBodyAndPartial(t *testing.T) {
	r := start(t)
	g := gateway(t, r, func(c *sms.Config) {
		c.Form, c.JSON = nil, `{"to": {{json .Number}}, "text": {{json .Text}}}`
	})
	r.Plan(robot.SMS, robot.Answer{Body: `{"code":"isv.MOBILE_NUMBER_ILLEGAL"}`})
	if got := g.Send(t.Context(), note(`"quoted" \ 告警`)); got.Verdict != channel.Partial || !strings.Contains(got.Words, "ILLEGAL") {
		t.Errorf("%+v", got)
	}
	if got := r.Received(); len(got) != 1 || got[0].Text != `"quoted" \ 告警` {
		t.Errorf("%+v", got)
	}
	r.Plan(robot.SMS, robot.Answer{Body: `{"code":"X"}`}, robot.Answer{Body: `{"code":"X"}`})
	if got := g.Send(t.Context(), note("x")); got.Verdict != channel.Permanent {
		t.Errorf("all refused: %+v", got)
	}
	r.Plan(robot.SMS, robot.Answer{Status: 500}, robot.Answer{Body: "not JSON"})
	if got := g.Send(t.Context(), note("x")); got.Verdict != channel.Retry {
		t.Errorf("one may be tried again: %+v", got)
	}
}

func TestLongTextIsCutByRunes(t *testing.T) {
	r := start(t)
	g := gateway(t, r, func(c *sms.Config) { c.MaxRunes = 70; c.Form["text"] = "{{.Text}}" })
	g.Send(t.Context(), note(strings.Repeat("告", 500)))
	for _, m := range r.Received() {
		if utf8.RuneCountInString(m.Text) != 70 || !strings.HasSuffix(m.Text, "…+435") {
			t.Errorf("%d runes: %s", utf8.RuneCountInString(m.Text), m.Text)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*sms.Config)
		want   string
	}{
		"both bodies":    {func(c *sms.Config) { c.JSON = "{}" }, "exactly one of form and json"},
		"no body":        {func(c *sms.Config) { c.Form = nil }, "exactly one of form and json"},
		"no numbers":     {func(c *sms.Config) { c.Numbers = nil }, "s.numbers"},
		"bad template":   {func(c *sms.Config) { c.Form["to"] = "{{.Nummer}}" }, "s.form.to"},
		"unquoted JSON":  {func(c *sms.Config) { c.Form, c.JSON = nil, `{"to": "{{.Number}}", "t": {{json .Text}}}` }, "{{json .Text}}"},
		"bad condition":  {func(c *sms.Config) { c.Success = "code is OK" }, "s.success"},
		"bad retry":      {func(c *sms.Config) { c.RetryWhen = "a == 1 && b == 2 || c == 3" }, "s.retry_when"},
		"short":          {func(c *sms.Config) { c.MaxRunes = 3 }, "s.max_runes"},
		"bad url":        {func(c *sms.Config) { c.URL = "gopher://x" }, "s.url"},
		"half a literal": {func(c *sms.Config) { c.Success = `code == "OK` }, "closing quote"},
	} {
		cfg := sms.DefaultConfig()
		cfg.URL, cfg.Numbers, cfg.Form = "https://sms.example/send", []string{"1"}, map[string]string{"to": "{{.Number}}"}
		tc.change(&cfg)
		if err := cfg.Validate("s"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
