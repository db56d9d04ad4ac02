package alerting_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/silence"
)

// TestSilencesSurviveCrashes kills an alerter at each of its calls to store, bus and provider: while a maintenance window holds
// alerts, when it ends, and when an end is warned of. What is told then is exact, and told once, but for a message that was taken when
// its alerter died.
func TestSilencesSurviveCrashes(t *testing.T) {
	t.Parallel()
	for phase, want := range map[string]string{
		"while it holds": "resolved during maintenance w of ops (upgrade), which ended at 2000-01-01T00:02:00Z, 4 alerts were held, 3 still fire",
		"at its end":     "resolved during maintenance w of ops (upgrade), which ended at 2000-01-01T00:02:00Z, 4 alerts were held, 3 still fire",
		"when it warns":  "ends at 2000-01-01T00:10:00Z and holds 4 alerts that still fire",
	} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			calls := map[string][]string{
				"while it holds": {"swap im-alerts-2000.01", "put im-notify-2000.01", "swap im-notify-2000.01"}, "at its end": {"put im-desk-2000.01", "put im-notify-2000.01", "send"},
				"when it warns": {"swap im-alerts-2000.01", "put im-notify-2000.01", "send"},
			}[phase]
			killed := map[string]bool{}
			missed := func() bool { return slices.ContainsFunc(calls, func(c string) bool { return !killed[c] }) }
			for range 5 { // which call is the nth is a matter of luck
				killAtEach(t, phase, want, killed)
				if !missed() {
					return
				}
			}
			t.Errorf("killed at %v only, not at each of %v", slices.Sorted(maps.Keys(killed)), calls)
		})
	}
}

// killAtEach kills an alerter at one call after another, notes at which, and checks what is told all the same.
func killAtEach(t *testing.T, phase, want string, killed map[string]bool) {
	t.Helper()
	for n := 10; n < 90; n++ { // before, it only reads what was
		var got []string
		where := ""
		synctest.Test(t, func(t *testing.T) { got, where = crashed(t, phase, n) })
		if where == "" {
			return
		}
		killed[where] = true
		if where == "send" || strings.HasPrefix(where, "swap im-notify") { // the message may have been taken
			got = unique(got)
		}
		if len(got) != 1 || !strings.HasSuffix(got[0], want) {
			t.Errorf("killed at call %d (%s): told %q, want %q", n, where, got, want)
		}
	}
}

// crashed runs three alerters one after another, one of which is killed at a call in its phase, and gives what was told of silences.
func crashed(t *testing.T, phase string, n int) (told []string, where string) {
	t.Helper()
	r := newRig(t, "ops")
	r.withDesk()
	r.cfg.Refresh = 20 * time.Second
	rule := silence.MaintenanceRule
	start := time.Now().UTC()
	if phase == "when it warns" {
		rule, r.cfg.SilenceWarning = silence.EndsRule, 5*time.Minute
		a, stop := r.start(newFuse(-1, false), false)
		pass(time.Second)
		say(t, a, http.MethodPost, "/silences", `{"match":["severity = high"],"reason":"upgrade","from":"1999-12-31T23:50:00Z","until":"2000-01-01T00:10:00Z"}`)
		stop()
	} else {
		r.cfg.Silences = []*silence.Silence{{ID: "w", Match: []string{"severity = high"}, Author: "ops", Reason: "upgrade", Kind: silence.Maintenance, From: start, Until: start.Add(2 * time.Minute)}}
	}
	f, whole := newFuse(n, n%2 == 0), newFuse(-1, false)
	fuses := map[string][]*fuse{"while it holds": {f, whole, whole}}[phase]
	if fuses == nil {
		fuses = []*fuse{whole, f, whole}
	}
	for i := range 4 {
		r.produce(state(fmt.Sprintf("a-%d", i), "firing", start, 1))
	}
	ends := map[string]time.Duration{"while it holds": 30 * time.Second, "at its end": 143 * time.Second, "when it warns": 298 * time.Second}[phase]
	for i, until := range []time.Duration{ends, ends + 8*time.Second, ends + 3*time.Minute} {
		_, stop := r.start(fuses[i], false)
		pass(until - time.Since(start))
		if i == 0 && phase != "when it warns" {
			r.produce(state("a-0", "resolved", start, 31))
		}
		stop()
	}
	_, where = f.state()
	told = slices.DeleteFunc(about(r.phones["ops"], rule), func(s string) bool { return rule == silence.EndsRule && strings.HasPrefix(s, "resolved") })
	return told, where
}
