package alerting_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/oncall"
	"imwatch/alerting/route"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// escalating makes a rig whose alerts go to ops, after 10 minutes to phone, after 30 to boss.
func escalating(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, "ops", "phone", "boss")
	r.withDesk()
	r.cfg.Sweep = 10 * time.Minute // where nothing is left behind
	r.cfg.Route = route.Config{Receivers: []string{"ops"}, RepeatInterval: 100 * time.Hour, Escalate: []route.Step{
		{After: 10 * time.Minute, Receivers: []string{"phone"}}, {After: 30 * time.Minute, Receivers: []string{"boss"}},
	}}
	return r
}

// all names what everybody was told, in order for each.
func (r *rig) all() map[string][]string {
	out := map[string][]string{}
	for name, p := range r.phones {
		if list := told(p); len(list) > 0 {
			out[name] = list
		}
	}
	return out
}

func (r *rig) wantAll(when string, want map[string][]string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.all()); diff != "" {
		r.t.Errorf("%s: -want +got\n%s", when, diff)
	}
}

// TestEscalation: a step is taken when its time has come, whether the alerter was restarted or not, and whoever was told is told the end.
func TestEscalation(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := escalating(t)
			_, stop := r.start(newFuse(-1, false), false)
			again := func() {
				if restart {
					stop()
					_, stop = r.start(newFuse(-1, false), false)
				}
			}
			from := time.Now().UTC()
			r.produce(state("a", "firing", from, 0))
			pass(5 * time.Minute)
			again()
			pass(4*time.Minute + 59*time.Second)
			r.wantAll("before the first step", map[string][]string{"ops": {"a firing"}})
			pass(time.Second)
			r.wantAll("at the first step", map[string][]string{"ops": {"a firing"}, "phone": {"a escalated"}})
			again()
			r.produce(state("a", "updated", from, 900)) // restarts nothing
			pass(19*time.Minute + 59*time.Second)
			r.wantAll("before the second step", map[string][]string{"ops": {"a firing", "a updated"}, "phone": {"a escalated", "a updated"}})
			pass(time.Second)
			again()
			pass(time.Hour)
			r.produce(state("a", "resolved", from, 9000))
			pass(time.Minute)
			r.wantAll("at the end", map[string][]string{
				"ops": {"a firing", "a updated", "a resolved"}, "phone": {"a escalated", "a updated", "a resolved"}, "boss": {"a escalated", "a resolved"},
			})
			pass(time.Hour)
			stop()
			for _, n := range r.phones["boss"].all() {
				if n.Kind == "escalated" && (!strings.Contains(n.Message.Body, "nobody acknowledged it for 30m") || strings.Contains(string(n.Line), `"notify"`)) {
					t.Errorf("told %q with %s", n.Message.Body, n.Line)
				}
			}
		})
	}
}

// TestEscalationEndsWithTheAlert.
func TestEscalationEndsWithTheAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		_, stop := r.start(newFuse(-1, false), false)
		defer stop()
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		pass(15 * time.Minute)
		r.produce(state("a", "resolved", from, 900))
		pass(time.Hour)
		r.wantAll("at the end", map[string][]string{"ops": {"a firing", "a resolved"}, "phone": {"a escalated", "a resolved"}})
	})
}

// TestAcknowledgementStopsEscalation: until its time is up; then the steps whose time has come are taken, with the reason.
func TestAcknowledgementStopsEscalation(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := escalating(t)
			a, stop := r.start(newFuse(-1, false), false)
			r.produce(state("a", "firing", time.Now().UTC(), 0))
			pass(5 * time.Minute)
			say(t, a, "POST", "/alerts/a/ack", `{"for":"1h"}`)
			if restart {
				stop()
				_, stop = r.start(newFuse(-1, false), false)
			}
			pass(59 * time.Minute)
			r.wantAll("acknowledged", map[string][]string{"ops": {"a firing"}})
			pass(2 * time.Minute)
			r.wantAll("after its time", map[string][]string{"ops": {"a firing"}, "phone": {"a escalated"}, "boss": {"a escalated"}})
			stop()
			if n := r.phones["boss"].all()[0]; !strings.Contains(n.Message.Body, "the acknowledgement by ann was over at 01:05:00") {
				t.Errorf("told %q", n.Message.Body)
			}
		})
	}
}

// TestWorseThanAcknowledged: a rise breaks through an acknowledgement, and steps whose time has come are taken at once.
func TestWorseThanAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		a, stop := r.start(newFuse(-1, false), false)
		defer stop()
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		pass(5 * time.Minute)
		say(t, a, "POST", "/alerts/a/ack", `{"for":"5h"}`)
		pass(7 * time.Minute)
		worse := state("a", "updated", from, 720)
		worse.Severity = "critical"
		r.produce(worse)
		pass(time.Minute)
		r.wantAll("after the rise", map[string][]string{"ops": {"a firing", "a updated"}, "phone": {"a escalated"}})
		if n := r.phones["phone"].all()[0]; !strings.Contains(n.Message.Body, "it got worse than what ann acknowledged") {
			t.Errorf("told %q", n.Message.Body)
		}
	})
}

// TestStepsThatNothingStops: unless: never is taken in spite of an acknowledgement; one with conditions only where they hold.
func TestStepsThatNothingStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		r.cfg.Route.Escalate = []route.Step{
			{After: 10 * time.Minute, Receivers: []string{"phone"}, Unless: route.UnlessNever},
			{After: 15 * time.Minute, Receivers: []string{"boss"}, Unless: route.UnlessNever, Match: []string{"severity = critical"}},
		}
		a, stop := r.start(newFuse(-1, false), false)
		defer stop()
		r.produce(state("a", "firing", time.Now().UTC(), 0))
		pass(5 * time.Minute)
		say(t, a, "POST", "/alerts/a/ack", `{"for":"5h"}`)
		pass(time.Hour)
		r.wantAll("acknowledged", map[string][]string{"ops": {"a firing"}, "phone": {"a escalated"}})
		if n := r.phones["phone"].all()[0]; !strings.Contains(n.Message.Body, "it has been firing for 10m") {
			t.Errorf("told %q", n.Message.Body)
		}
	})
}

// TestSilencedAlertsAreNotPassedOn: neither what was told before the silence, until it ends, nor what is told only then, until a step's time has passed since.
func TestSilencedAlertsAreNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		a, stop := r.start(newFuse(-1, false), false)
		from := time.Now().UTC()
		r.produce(state("before", "firing", from, 0))
		pass(5 * time.Minute)
		id := say(t, a, "POST", "/silences", `{"match":["severity = high"],"reason":"x","for":"10h"}`)
		r.produce(state("within", "firing", from, 300))
		pass(55 * time.Minute)
		r.wantAll("in the silence", map[string][]string{"ops": {"before firing"}})
		say(t, a, "DELETE", "/silences/"+id, "")
		pass(time.Minute)
		r.wantAll("after it", map[string][]string{"ops": {"before firing", "within firing"}, "phone": {"before escalated"}, "boss": {"before escalated"}})
		stop()
		_, stop = r.start(newFuse(-1, false), false)
		defer stop()
		pass(8*time.Minute + 58*time.Second)
		r.wantAll("before the step", map[string][]string{"ops": {"before firing", "within firing"}, "phone": {"before escalated"}, "boss": {"before escalated"}})
		pass(2 * time.Second)
		r.wantAll("at the step", map[string][]string{"ops": {"before firing", "within firing"}, "phone": {"before escalated", "within escalated"}, "boss": {"before escalated"}})
	})
}

// TestInhibitedAlertsAreNotPassedOn.
func TestInhibitedAlertsAreNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		r.cfg.Inhibit = []inhibit.Rule{{Source: []string{"rule = rule-node"}, Target: []string{"rule = rule-beat"}, Equal: []string{"key.client.ip"}}}
		_, stop := r.start(newFuse(-1, false), false)
		defer stop()
		from := time.Now().UTC()
		r.produce(state("beat", "firing", from, 0))
		pass(time.Minute)
		r.produce(state("node", "firing", from, 60))
		pass(20 * time.Minute)
		r.wantAll("while the node is down", map[string][]string{"ops": {"beat firing", "node firing"}, "phone": {"node escalated"}})
		r.produce(state("node", "resolved", from, 1300))
		pass(time.Minute)
		wantTold(t, "after that", r.phones["ops"], "beat firing", "node firing", "node resolved")
		wantTold(t, "after that", r.phones["phone"], "node escalated", "node resolved", "beat escalated")
	})
}

// TestAcknowledgedWhileAStepIsOwed: what could not be delivered before the acknowledgement is told when that is over.
func TestAcknowledgedWhileAStepIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		a, stop := r.start(newFuse(-1, false), false)
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		pass(9 * time.Minute)
		r.phones["phone"].busy(true)
		pass(2 * time.Minute)
		say(t, a, "POST", "/alerts/a/ack", `{"for":"30m"}`)
		pass(2 * time.Minute)
		r.phones["phone"].busy(false)
		pass(20 * time.Minute)
		r.wantAll("acknowledged", map[string][]string{"ops": {"a firing"}})
		pass(10 * time.Minute)
		r.wantAll("after its time", map[string][]string{"ops": {"a firing"}, "phone": {"a escalated"}, "boss": {"a escalated"}})
		r.produce(state("a", "resolved", from, 3600))
		pass(time.Minute)
		r.wantAll("at the end", map[string][]string{"ops": {"a firing", "a resolved"}, "phone": {"a escalated", "a resolved"}, "boss": {"a escalated", "a resolved"}})
		stop()
	})
}

// TestStepOvertakenByAcknowledgementAndEnd: who was to be told and was not hears nothing of the end either.
func TestStepOvertakenByAcknowledgementAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		a, stop := r.start(newFuse(-1, false), false)
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		pass(9 * time.Minute)
		r.phones["phone"].busy(true)
		pass(2 * time.Minute)
		say(t, a, "POST", "/alerts/a/ack", `{"for":"3h"}`)
		pass(2 * time.Minute)
		r.phones["phone"].busy(false)
		r.produce(state("a", "resolved", from, 3600))
		pass(time.Hour)
		stop()
		r.wantAll("at the end", map[string][]string{"ops": {"a firing", "a resolved"}})
	})
}

// TestRestartsChangeNoStep: wherever alerters die, and however many there are, the same are told the same.
func TestRestartsChangeNoStep(t *testing.T) {
	if os.Getenv("IMWATCH_TEST_DRAWS") == "" { // each draw makes a dozen alerters
		checks := flag.Lookup("rapid.checks").Value
		before := checks.String()
		defer func() { _ = checks.Set(before) }()
		_ = checks.Set("12")
	}
	rapid.Check(t, func(rt *rapid.T) {
		const slots = 6 // of two minutes; things happen in the middle of them, steps between
		type slot struct {
			Say   string
			Kill  int // the alerter dies at this call; -1: it does not
			After bool
			Two   bool
		}
		said := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "ack", "back", "update", "worse", "resolve"}), slots, slots).Draw(rt, "said")
		var plan []slot
		for i := range slots {
			plan = append(plan, slot{said[i], rapid.IntRange(-1, 25).Draw(rt, "kill"), rapid.Bool().Draw(rt, "after"), rapid.Bool().Draw(rt, "two")})
		}
		run := func(t *testing.T, crashes bool) map[string][]string {
			t.Helper()
			r := escalating(t)
			r.cfg.Refresh = time.Minute
			r.cfg.Sweep, r.cfg.Delivery.Timeout, r.cfg.Delivery.Lease = 5*time.Second, 2*time.Second, 4*time.Second
			r.cfg.Route.Escalate[0].After, r.cfg.Route.Escalate[1].After = 2*time.Minute, 8*time.Minute
			from := time.Now().UTC()
			r.produce(state("a", "firing", from, 0))
			over, worse := false, "high"
			var a *alerting.Alerter
			stop := func() {}
			for i, s := range plan {
				fuse, fuse2 := newFuse(-1, false), newFuse(-1, false)
				if crashes {
					fuse, fuse2 = newFuse(s.Kill, s.After), newFuse(s.Kill+5, !s.After)
				}
				if a == nil || crashes {
					stop()
					_, stop1 := r.start(fuse, false)
					stop2 := func() {}
					if crashes && s.Two {
						_, stop2 = r.start(fuse2, false)
					}
					pass(40 * time.Second)
					stop1()
					stop2()
					a, stop = r.start(newFuse(-1, false), false) // what people say is said to one that lives
				} else {
					pass(40 * time.Second)
				}
				pass(20 * time.Second)
				at := i*120 + 60
				switch {
				case over:
				case s.Say == "ack":
					say(t, a, "POST", "/alerts/a/ack", `{"for":"210s"}`)
				case s.Say == "back":
					tryTo(t, a, "DELETE", "/alerts/a/ack")
				case s.Say == "update":
					u := state("a", "updated", from, at)
					u.Severity = worse
					r.produce(u)
				case s.Say == "worse":
					worse = "critical"
					u := state("a", "updated", from, at)
					u.Severity = worse
					r.produce(u)
				case s.Say == "resolve":
					over = true
					r.produce(state("a", "resolved", from, at))
				}
				pass(time.Minute)
			}
			stop()
			r.whole(time.Minute)
			got := map[string][]string{}
			for name, p := range r.phones {
				set := map[string]bool{}
				for _, n := range p.all() {
					set[fmt.Sprintf("%s %s", n.Kind, event.FormatTime(n.Alert.Time))] = true
				}
				got[name] = slices.Sorted(maps.Keys(set))
			}
			return got
		}
		var want, got map[string][]string
		synctest.Test(t, func(t *testing.T) { want = run(t, false) })
		synctest.Test(t, func(t *testing.T) { got = run(t, true) })
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("-want +got\n%s", diff)
		}
	})
}

// TestSeveralAlertersPassOnOnce.
func TestSeveralAlertersPassOnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := escalating(t)
		var stops []func()
		for range 3 {
			_, stop := r.start(newFuse(-1, false), false)
			stops = append(stops, stop)
		}
		var want []string
		for i := range 30 {
			r.produce(state(fmt.Sprintf("a-%02d", i), "firing", time.Now().UTC(), 0))
			want = append(want, fmt.Sprintf("a-%02d escalated", i))
		}
		pass(2 * time.Hour)
		for _, stop := range stops {
			stop()
		}
		wantTold(t, "phone", r.phones["phone"], slices.Clone(want)...)
		wantTold(t, "boss", r.phones["boss"], want...)
	})
}

// rota puts ann and bob on call in turns of an hour, with their phones.
func (r *rig) rota() {
	r.cfg.OnCall = oncall.Config{
		People: []oncall.Person{{Name: "ann", Receivers: []string{"ann-phone"}}, {Name: "bob", Receivers: []string{"bob-phone"}}},
		Schedules: []oncall.Schedule{{Name: "lead", Rotations: []oncall.Rotation{{
			Start: time.Now().UTC().Format("2006-01-02T15:04"), Every: time.Hour, People: []string{"ann", "bob"},
		}}}},
	}
}

// TestOnCall: who was told of the beginning is told of what follows although the shift changed; a repeat goes to who is on
// call by then, who is told of the end as well.
func TestOnCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ann-phone", "bob-phone", "ops")
		r.withDesk()
		r.rota()
		r.cfg.Route = route.Config{Receivers: []string{"oncall:lead"}, RepeatInterval: 90 * time.Minute, Escalate: []route.Step{
			{After: 10 * time.Minute, Receivers: []string{"oncall:lead+1"}},
		}}
		a, stop := r.start(newFuse(-1, false), false)
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		pass(5 * time.Minute)
		r.wantAll("at the beginning", map[string][]string{"ann-phone": {"a firing"}})
		r.produce(state("b", "firing", from, 0))
		pass(time.Minute)
		r.produce(state("b", "resolved", from, 300))
		pass(time.Minute)
		say(t, a, "POST", "/alerts/a/ack", `{"for":"70m"}`)
		pass(63 * time.Minute)
		stop()
		a, stop = r.start(newFuse(-1, false), false)
		pass(10 * time.Minute) // the acknowledgement is over at 77m: bob is on call, and ann is next
		r.wantAll("after the step", map[string][]string{"ann-phone": {"a firing", "b firing", "b resolved", "a escalated"}})
		pass(11 * time.Minute) // a repeat at 90m
		r.wantAll("after the repeat", map[string][]string{"ann-phone": {"a firing", "b firing", "b resolved", "a escalated"}, "bob-phone": {"a repeat"}})
		r.produce(state("a", "resolved", from, 6000))
		pass(time.Minute)
		r.wantAll("at the end", map[string][]string{"ann-phone": {"a firing", "b firing", "b resolved", "a escalated", "a resolved"}, "bob-phone": {"a repeat", "a resolved"}})
		say(t, a, "POST", "/oncall/overrides", `{"schedule":"lead","person":"ann","for":"1h","reason":"bob is ill"}`)
		r.produce(state("c", "firing", time.Now().UTC(), 0))
		pass(time.Minute)
		if got := told(r.phones["ann-phone"]); got[len(got)-1] != "c firing" {
			t.Errorf("ann stands in and was told %v", got)
		}
		stop()
	})
}

// TestNobodyOnCall: the default is told, and a metric, which was 0 before, says so.
func TestNobodyOnCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ann-phone", "bob-phone", "ops")
		r.rota()
		r.cfg.OnCall.Schedules[0].Rotations[0].Hours = []oncall.Hours{{From: "09:00", Until: "10:00"}}
		r.cfg.OnCall.Schedules[0].Default = []string{"ops"}
		r.cfg.Route = route.Config{Receivers: []string{"oncall:lead"}}
		reg := prometheus.NewRegistry()
		r.reg = reg
		_, stop := r.start(newFuse(-1, false), false)
		defer stop()
		counted := func(want float64) {
			t.Helper()
			if n, there := gathered(t, reg)["im_alerting_oncall_nobody_total lead"]; !there || n != want {
				t.Errorf("nobody was on call %v times (there: %v), want %v", n, there, want)
			}
		}
		counted(0)
		r.produce(state("a", "firing", time.Now().UTC(), 0))
		pass(time.Minute)
		counted(1)
		r.wantAll("at night", map[string][]string{"ops": {"a firing"}})
	})
}

// TestOnCallIsSeenByOtherAlerters: an override made at one counts at another.
func TestOnCallIsSeenByOtherAlerters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ann-phone", "bob-phone")
		r.withDesk()
		r.rota()
		r.cfg.Refresh = alerting.DefaultConfig().Refresh
		r.cfg.Route = route.Config{Receivers: []string{"oncall:lead"}}
		a, stopA := r.start(newFuse(-1, false), false)
		defer stopA()
		b, stopB := r.start(newFuse(-1, false), false)
		defer stopB()
		pass(time.Second)
		id := say(t, a, "POST", "/oncall/overrides", `{"schedule":"lead","person":"bob","for":"30m"}`)
		pass(10 * time.Second)
		if got := whom(t, b); got != "bob" {
			t.Errorf("the other one says %q is on call", got)
		}
		for i := range 10 {
			r.produce(state(fmt.Sprint(i), "firing", time.Now().UTC(), 0))
		}
		pass(time.Minute)
		if got := len(told(r.phones["bob-phone"])); got != 10 {
			t.Errorf("bob was told %d times", got)
		}
		say(t, b, "DELETE", "/oncall/overrides/"+id, "")
		pass(10 * time.Second)
		if got := whom(t, a); got != "ann" {
			t.Errorf("after its end %q is on call", got)
		}
	})
}

// tryTo sends a request as ann, whatever comes of it.
func tryTo(t *testing.T, a *alerting.Alerter, method, path string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "/api/v1"+path, nil)
	req.Header.Set("Authorization", "Bearer "+deskToken)
	a.Handler().ServeHTTP(httptest.NewRecorder(), req)
}

// whom asks who is on call.
func whom(t *testing.T, a *alerting.Alerter) string {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/oncall?schedule=lead", nil)
	req.Header.Set("Authorization", "Bearer "+deskToken)
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, req)
	var answer struct {
		OnCall []struct{ Person string } `json:"on_call"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.OnCall) != 1 {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return answer.OnCall[0].Person
}
