package route_test

import (
	"strings"
	"testing"
	"time"

	"imwatch/alerting/route"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

func alert() *event.Alert {
	return &event.Alert{
		Severity: "high", RuleID: "node-down", Status: "enabled", State: "firing",
		Key: []event.KeyPart{{Field: "service.node.name", Value: "node 1"}, {Field: "client.ip", Value: "192.0.2.1"}}, Labels: map[string]string{"team": "im"},
	}
}

func TestMatchers(t *testing.T) {
	for text, want := range map[string]bool{
		`severity = high`:                               true,
		`severity=high`:                                 true,
		`severity != high`:                              false,
		`severity = "high"`:                             true,
		`severity =~ "high|critical"`:                   true,
		`severity =~ hig`:                               false, // the whole value
		`severity =~ hig.*`:                             true,
		`severity !~ "c.*"`:                             true,
		`severity in [high, critical]`:                  true,
		`severity in[high]`:                             true,
		`severity not in [high, critical]`:              false,
		`severity in [ "warn" , "critical" ]`:           false,
		`rule = node-down`:                              true,
		`status = enabled`:                              true,
		`state in [firing, updated]`:                    true,
		`labels.team = im`:                              true,
		`labels.zone = ""`:                              true, // absent is empty
		`labels.zone != a`:                              true,
		`key.service.node.name in ["node 1", "node,2"]`: true,
		`key.service.node.name in ["node,1"]`:           false,
		`key.client.ip =~ "192\\.0\\.2\\..*"`:           true,
		`key.user.id = u1`:                              false,
	} {
		m, err := route.ParseMatcher(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := m.Match(alert()); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestBadMatchers(t *testing.T) {
	for text, want := range map[string]string{
		"": "expected a matcher", "severity": "expected a matcher", "severity high": "expected one of =", "level = x": `unknown name "level"`, "labels. = x": "unknown name",
		"severity =~ (": "expression of severity", `severity = "x`: "closing quote", "severity in high": "expected a list",
		"severity in []": "at least one", `severity in ["a" "b"]`: "expected a comma", "= x": "expected a matcher", "severity inhigh": "expected one of",
	} {
		if _, err := route.ParseMatcher(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzMatcher(f *testing.F) {
	for _, s := range []string{`severity = high`, `labels.a =~ "x|y"`, `key.b not in [a, "b, c"]`, `rule!~x`} {
		f.Add(s, "high")
	}
	f.Fuzz(func(_ *testing.T, text, value string) {
		if m, err := route.ParseMatcher(text); err == nil {
			a := alert()
			a.Severity = value
			m.Match(a)
		}
	})
}

func TestTree(t *testing.T) {
	tree, err := route.New(route.Config{Receivers: []string{"mail"}, RepeatInterval: time.Hour, Routes: []route.Config{
		{Match: []string{"severity = critical"}, Receivers: []string{"hook", "robot"}, RepeatInterval: time.Minute, Routes: []route.Config{
			{Match: []string{"labels.team = im"}, Receivers: []string{"im"}},
			{Match: []string{"labels.team = core"}}, // its parent's receivers
		}},
		{Match: []string{"labels.audit = yes"}, Receivers: []string{"audit"}, Continue: true},
		{Match: []string{"severity = high"}, Receivers: []string{"sms", "audit"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*event.Alert)
		want   []route.Target
	}{
		"no route matches": {func(a *event.Alert) { a.Severity = "warn" }, []route.Target{{Receiver: "mail", Repeat: time.Hour}}},
		"first match":      {func(*event.Alert) {}, []route.Target{{Receiver: "sms", Repeat: time.Hour}, {Receiver: "audit", Repeat: time.Hour}}},
		"continue, each receiver once": {
			func(a *event.Alert) { a.Labels["audit"] = "yes" },
			[]route.Target{{Receiver: "audit", Repeat: time.Hour}, {Receiver: "sms", Repeat: time.Hour}},
		},
		"child": {func(a *event.Alert) { a.Severity = "critical" }, []route.Target{{Receiver: "im", Repeat: time.Minute}}},
		"child with its parent's receivers": {
			func(a *event.Alert) { a.Severity, a.Labels["team"] = "critical", "core" },
			[]route.Target{{Receiver: "hook", Repeat: time.Minute}, {Receiver: "robot", Repeat: time.Minute}},
		},
		"no child": {
			func(a *event.Alert) { a.Severity, a.Labels["team"] = "critical", "other" },
			[]route.Target{{Receiver: "hook", Repeat: time.Minute}, {Receiver: "robot", Repeat: time.Minute}},
		},
		"continue and nothing behind": {func(a *event.Alert) { a.Severity, a.Labels["audit"] = "warn", "yes" }, []route.Target{{Receiver: "audit", Repeat: time.Hour}}},
	} {
		a := alert()
		tc.change(a)
		if diff := cmp.Diff(tc.want, tree.Targets(a)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestValidateNamesPaths(t *testing.T) {
	err := route.Config{Receivers: []string{"mail", "mial"}, Routes: []route.Config{
		{Match: []string{"severity = high", "sev = x"}, RepeatInterval: time.Millisecond, Routes: []route.Config{{Receivers: []string{"nobody"}}}},
	}}.Validate("route", []string{"mail", "sms"})
	for _, want := range []string{
		`route.receivers[1]: unknown receiver "mial", known are: mail, sms`, `route.routes[0].match[1]: unknown name "sev"`,
		"route.routes[0].repeat_interval", `route.routes[0].routes[0].receivers[0]: unknown receiver "nobody"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("more or fewer than four faults: %v", err)
	}
}

func TestRepeatBySeverity(t *testing.T) {
	tree, err := route.New(route.Config{
		Receivers: []string{"mail"}, RepeatInterval: 4 * time.Hour, Repeat: route.Repeats{Critical: 30 * time.Minute, High: 2 * time.Hour},
		Routes: []route.Config{
			{Match: []string{"labels.a = 1"}, Repeat: route.Repeats{High: time.Hour}},
			{Match: []string{"labels.a = 2"}, RepeatInterval: 9 * time.Hour},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]time.Duration{
		" critical": 30 * time.Minute, " high": 2 * time.Hour, " warn": 4 * time.Hour,
		"1 critical": 30 * time.Minute, "1 high": time.Hour, "1 info": 4 * time.Hour,
		"2 critical": 9 * time.Hour, "2 high": 9 * time.Hour,
	} {
		a := alert()
		a.Labels["a"], a.Severity, _ = strings.Cut(name, " ")
		if got := tree.Targets(a)[0].Repeat; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestGroups(t *testing.T) {
	tree, err := route.New(route.Config{
		Receivers: []string{"mail", "sms"}, GroupBy: []string{"labels.team", "key.client.ip"}, GroupInterval: time.Minute,
		Routes: []route.Config{
			{Match: []string{"severity = critical"}, GroupWait: time.Second},                // shares the groups above
			{Match: []string{"severity = warn"}, GroupBy: []string{"labels.team"}},          // has its own
			{Match: []string{"severity = info"}, GroupBy: []string{"..."}, GroupWait: 2e12}, // each for itself
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	of := func(change func(*event.Alert)) route.Group {
		a := alert()
		change(a)
		return tree.Targets(a)[0].Group
	}
	base := of(func(*event.Alert) {})
	if base.Name != "labels.team=im, key.client.ip=192.0.2.1" || base.Wait != route.DefaultGroupWait || base.Interval != time.Minute {
		t.Errorf("%+v", base)
	}
	for name, tt := range map[string]struct {
		same   bool
		change func(*event.Alert)
	}{
		"the rule does not matter":    {true, func(a *event.Alert) { a.RuleID = "other" }},
		"nor a route without its own": {true, func(a *event.Alert) { a.Severity = "critical" }},
		"another value":               {false, func(a *event.Alert) { a.Labels["team"] = "core" }},
		"no value":                    {false, func(a *event.Alert) { delete(a.Labels, "team") }},
		"values never run together":   {false, func(a *event.Alert) { a.Labels["team"], a.Key[1].Value = "im1", "92.0.2.1" }},
		"a route with its own":        {false, func(a *event.Alert) { a.Severity = "warn" }},
		"each for itself":             {false, func(a *event.Alert) { a.Severity = "info" }},
	} {
		if g := of(tt.change); (g.ID == base.ID) != tt.same {
			t.Errorf("%s: %+v and %+v", name, g, base)
		}
	}
	if targets := tree.Targets(alert()); targets[0].Group.ID == targets[1].Group.ID {
		t.Error("two receivers have one group")
	}
	each := func(id string) route.Group {
		return of(func(a *event.Alert) { a.Severity, a.ID = "info", id })
	}
	if x, again := each("x"), each("x"); x.ID == each("y").ID || x.ID != again.ID || x.Match != nil {
		t.Error("not each for itself")
	}
	for _, value := range []string{"im", "", `"a, b" = c\d`, " 中\n"} {
		changed := alert()
		changed.Labels["team"] = value
		matchers, err := route.ParseMatchers(of(func(a *event.Alert) { a.Labels["team"] = value }).Match)
		if err != nil || !route.MatchAll(matchers, changed) {
			t.Errorf("%q does not satisfy the conditions of its group: %v", value, err)
		}
		if changed.Labels["team"] = "x"; route.MatchAll(matchers, changed) {
			t.Errorf("another one satisfies those of %q", value)
		}
	}
}

func TestBadGroups(t *testing.T) {
	for want, c := range map[string]route.Config{
		`route.group_by[1]: found "lables.team", expected rule`:             {GroupBy: []string{"rule", "lables.team"}},
		`route.group_by[0]: found "ruel", expected rule, severity, status,`: {GroupBy: []string{"ruel"}},
		`did you mean "rule"?`:                                     {GroupBy: []string{"ruel"}},
		`route.group_by[1]: found "all" among others`:              {GroupBy: []string{"rule", "all"}},
		`route.group_by[0]: found "state"`:                         {GroupBy: []string{"state"}},
		`route.group_by[1]: found "rule" twice`:                    {GroupBy: []string{"rule", "rule"}},
		`route.group_wait: found 1ns, expected at least 1ms`:       {GroupWait: 1},
		`route.group_interval: found -1s, expected at least 1ms`:   {GroupInterval: -time.Second},
		`route.repeat.critical: found 500ms, expected at least 1s`: {Repeat: route.Repeats{Critical: time.Second / 2}},
	} {
		if err := c.Validate("route", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func BenchmarkTargets(b *testing.B) {
	cfg := route.Config{Receivers: []string{"mail"}}
	for i := range 50 {
		cfg.Routes = append(cfg.Routes, route.Config{Match: []string{`labels.team =~ "team-` + string(rune('a'+i%26)) + `.*"`, "severity = critical"}, Receivers: []string{"x"}})
	}
	tree, err := route.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	a := alert()
	for b.Loop() {
		tree.Targets(a)
	}
}
