package backtest_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"imwatch/detector/backtest"
)

// burst has addresses with five and three failures in a row, and one more failure long after.
func burst() string {
	var b strings.Builder
	for i := range 5 {
		b.WriteString(line(float64(i), "a"+string(rune('0'+i)), "192.0.2.1"))
		if i < 3 {
			b.WriteString(line(float64(i)+0.5, "b"+string(rune('0'+i)), "192.0.2.2"))
		}
	}
	return b.String() + line(50, "z", "192.0.2.9")
}

func TestAgainst(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(failures, "id: failures", "id: other")
	for name, c := range map[string]struct {
		rules, before string
		want          []string // the last lines of the summary
	}{
		"the same": {failures, failures, []string{"against old: +0 −0 alerts, 0 changed"}},
		"a lower limit": {failures, strings.ReplaceAll(failures, "> 2", "> 3"), []string{
			"~ failures client.ip=192.0.2.1 2026-11-21T10:00:02.000Z..2026-11-21T10:00:17.000Z begins 2026-11-21T10:00:02.000Z (was 2026-11-21T10:00:03.000Z), " +
				"fires 2026-11-21T10:00:02.000Z (was 2026-11-21T10:00:03.000Z), ends 2026-11-21T10:00:17.000Z (was 2026-11-21T10:00:16.000Z), value 3 (was 4)",
			"+ failures client.ip=192.0.2.2 2026-11-21T10:00:02.500Z..2026-11-21T10:00:15.500Z value 3, severity high",
			"failures: +1 −0 alerts, 1 changed",
			"against old: +1 −0 alerts, 1 changed",
		}},
		"a higher limit": {strings.ReplaceAll(failures, "> 2", "> 5"), failures, []string{
			"− failures client.ip=192.0.2.1 2026-11-21T10:00:02.000Z..2026-11-21T10:00:17.000Z value 3, severity high",
			"− failures client.ip=192.0.2.2 2026-11-21T10:00:02.500Z..2026-11-21T10:00:15.500Z value 3, severity high",
			"failures: +0 −2 alerts, 0 changed",
			"against old: +0 −2 alerts, 0 changed",
		}},
		"another severity and end": {strings.ReplaceAll(strings.ReplaceAll(failures, "high", "critical"), "after: 5s", "after: 60s"), failures, []string{
			"~ failures client.ip=192.0.2.1 2026-11-21T10:00:02.000Z..open ends never (was 2026-11-21T10:00:17.000Z), severity critical (was high)",
			"~ failures client.ip=192.0.2.2 2026-11-21T10:00:02.500Z..open ends never (was 2026-11-21T10:00:15.500Z), severity critical (was high)",
			"failures: +0 −0 alerts, 2 changed",
			"against old: +0 −0 alerts, 2 changed",
		}},
		"a rule more": {failures + "---" + other, failures, []string{
			"+ other client.ip=192.0.2.1 2026-11-21T10:00:02.000Z..2026-11-21T10:00:17.000Z value 3, severity high",
			"+ other client.ip=192.0.2.2 2026-11-21T10:00:02.500Z..2026-11-21T10:00:15.500Z value 3, severity high",
			"other: +2 −0 alerts, 0 changed (new rule)",
			"against old: +2 −0 alerts, 0 changed",
		}},
		"a rule less, quiet": {failures, failures + "---" + strings.ReplaceAll(other, "> 2", "> 200"), []string{
			"other: +0 −0 alerts, 0 changed (rule gone)",
			"against old: +0 −0 alerts, 0 changed",
		}},
		"no rule before": {failures, off, []string{
			"+ failures client.ip=192.0.2.1 2026-11-21T10:00:02.000Z..2026-11-21T10:00:17.000Z value 3, severity high",
			"+ failures client.ip=192.0.2.2 2026-11-21T10:00:02.500Z..2026-11-21T10:00:15.500Z value 3, severity high",
			"failures: +2 −0 alerts, 0 changed (new rule)",
			"against old: +2 −0 alerts, 0 changed",
		}},
	} {
		for _, query := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s, err := backtest.File(context.Background(), strings.NewReader(burst()), "x", backtest.Options{
					Rules: parse(t, c.rules), Against: parse(t, c.before), AgainstName: "old", Query: query,
				})
				if err != nil {
					t.Fatal(err)
				}
				var text bytes.Buffer
				if err := s.WriteText(&text); err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSpace(text.String()), "\n")
				if diff := cmp.Diff(c.want, lines[len(lines)-len(c.want):]); diff != "" {
					t.Errorf("query %t: summary differs (-want +got):\n%s", query, diff)
				}
			})
		}
	}
}

// off is a set of rules none of which runs.
const off = "id: off\ntitle: x\nseverity: info\nstatus: disabled\ndetect: {threshold: {count: '> 0', window: 1s}}\n"
