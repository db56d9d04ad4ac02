package alerting_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/api"
	"imwatch/alerting/channel"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/silence"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const deskToken = "0123456789abcdef"

// withDesk lets people speak to the rig's alerters.
func (r *rig) withDesk() {
	r.cfg.API.Addr, r.cfg.API.URL, r.cfg.API.LinkSecret = "127.0.0.1:0", "https://watch.example.org", strings.Repeat("s", 32)
	r.cfg.SilenceWarning = 0
	r.cfg.API.Tokens = []api.Token{{Name: "ann", Role: api.Responder, Token: deskToken}}
}

// say sends a request as ann, and gives the answer's id.
func say(t *testing.T, a *alerting.Alerter, method, path, body string) (id string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "/api/v1"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+deskToken)
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, req)
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var answer struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.ID
}

func wantTold(t *testing.T, when string, p *phone, want ...string) {
	t.Helper()
	got := told(p)
	slices.Sort(got) // of different alerts the order is chance
	slices.Sort(want)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: -want +got\n%s", when, diff)
	}
}

// ledger counts the entries of the outbox by what became of them.
func (r *rig) ledger() map[string]int {
	counts := map[string]int{}
	for _, body := range r.store.all("im-notify-*") {
		var d struct {
			IM struct {
				Notify struct{ State, Verdict string }
			} `json:"im"`
		}
		if err := json.Unmarshal(body, &d); err != nil {
			r.t.Fatal(err)
		}
		counts[d.IM.Notify.State+" "+d.IM.Notify.Verdict]++
	}
	return counts
}

// TestSilence: what still fires at its end is told then, what came and went within it never, and the end of what was told
// before it is told in it. The alerter is stopped and started again meanwhile.
func TestSilence(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, "ops")
			r.withDesk()
			a, stop := r.start(newFuse(-1, false), false)
			again := func() {
				if restart {
					stop()
					a, stop = r.start(newFuse(-1, false), false)
					pass(time.Second)
				}
			}
			from := time.Now().UTC()
			r.produce(state("before", "firing", from, 0), state("other", "firing", from, 0))
			pass(time.Second)
			say(t, a, "POST", "/silences", `{"match":["rule in [rule-before, rule-short, rule-long]"],"reason":"upgrade","for":"1h"}`)
			again()
			r.produce(state("short", "firing", from, 60), state("long", "firing", from, 60), state("free", "firing", from, 60))
			pass(time.Minute)
			wantTold(t, "in the silence", r.phones["ops"], "before firing", "other firing", "free firing")
			again()
			r.produce(state("short", "resolved", from, 120), state("before", "resolved", from, 120))
			pass(time.Minute)
			wantTold(t, "after the ends", r.phones["ops"], "before firing", "other firing", "free firing", "before resolved")
			again()
			pass(time.Hour)
			wantTold(t, "after the silence", r.phones["ops"], "before firing", "other firing", "free firing", "before resolved", "long firing")
			r.produce(state("long", "resolved", from, 4000))
			pass(time.Minute)
			wantTold(t, "at the end", r.phones["ops"], "before firing", "other firing", "free firing", "before resolved", "long firing", "long resolved")
			stop()
			want := map[string]int{"sent accepted": 6, "superseded silenced": 1, "superseded over": 1}
			if diff := cmp.Diff(want, r.ledger()); diff != "" {
				t.Errorf("the ledger: -want +got\n%s", diff)
			}
		})
	}
}

// TestSilenceThatIsEnded lets go at once, on the alerter that was told and on another one within the time between looks.
func TestSilenceThatIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.withDesk()
		r.cfg.Refresh = alerting.DefaultConfig().Refresh
		a, stopA := r.start(newFuse(-1, false), false)
		defer stopA()
		b, stopB := r.start(newFuse(-1, false), false)
		defer stopB()
		id := say(t, a, "POST", "/silences", `{"match":["severity = high"],"reason":"x","for":"10h"}`)
		pass(10 * time.Second)
		var want []string
		for i := range 20 {
			r.produce(state(fmt.Sprintf("a-%02d", i), "firing", time.Now().UTC(), 0))
			want = append(want, fmt.Sprintf("a-%02d firing", i))
		}
		pass(time.Minute)
		wantTold(t, "in the silence", r.phones["ops"])
		say(t, b, "DELETE", "/silences/"+id, "")
		pass(10 * time.Second)
		if got := told(r.phones["ops"]); len(got) != len(want) {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}

// TestWeeklySilenceOfTheConfiguration holds by night, each night.
func TestWeeklySilenceOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		r := newRig(t, "ops")
		r.cfg.Sweep = 10 * time.Minute
		r.cfg.Silences = []*silence.Silence{{ID: "nights", Match: []string{"severity = warn"}, Author: "ops", Reason: "nobody is there", Weekly: []silence.Weekly{{From: "22:00", Until: "06:00"}}}}
		_, stop := r.start(newFuse(-1, false), false)
		defer stop()
		var want []string
		for day := range 2 {
			warn := state(fmt.Sprintf("night-%d", day), "firing", time.Now().UTC(), 0)
			warn.Severity = "warn"
			high := state(fmt.Sprintf("grave-%d", day), "firing", time.Now().UTC(), 0)
			r.produce(warn, high)
			pass(5 * time.Hour)
			want = append(want, fmt.Sprintf("grave-%d firing", day))
			first := told(r.phones["ops"])
			if !slices.Contains(first, want[len(want)-1]) || slices.Contains(first, fmt.Sprintf("night-%d firing", day)) {
				t.Errorf("night %d: told %v", day, first)
			}
			pass(2 * time.Hour)
			if got := told(r.phones["ops"]); !slices.Contains(got, fmt.Sprintf("night-%d firing", day)) {
				t.Errorf("morning %d: told %v", day, got)
			}
			pass(17 * time.Hour)
		}
	})
}

// TestCascadeIsToldOnce: of a node that is down one alert is told, with the number of those that follow from it, whichever
// of two alerters decides about which. What still fires when it is over is told then.
func TestCascadeIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.cfg.Inhibit = []inhibit.Rule{{Source: []string{"rule = rule-node"}, Target: []string{`rule =~ "rule-beat-.*"`}, Equal: []string{"key.client.ip"}}}
		_, stopA := r.start(newFuse(-1, false), false)
		defer stopA()
		_, stopB := r.start(newFuse(-1, false), false)
		defer stopB()
		from := time.Now().UTC()
		r.produce(state("node", "firing", from, 0))
		pass(time.Second)
		const many = 200
		for i := range many {
			r.produce(state(fmt.Sprintf("beat-%03d", i), "firing", from, 1))
		}
		pass(time.Minute)
		wantTold(t, "while the node is down", r.phones["ops"], "node firing")
		for i := range many - 2 {
			r.produce(state(fmt.Sprintf("beat-%03d", i), "resolved", from, 60))
		}
		pass(time.Minute)
		wantTold(t, "while the node is down", r.phones["ops"], "node firing")
		r.produce(state("node", "resolved", from, 120))
		pass(time.Minute)
		got := told(r.phones["ops"])
		if len(got) != 4 || !slices.Contains(got, "node resolved") || !slices.Contains(got, "beat-198 firing") || !slices.Contains(got, "beat-199 firing") {
			t.Errorf("told %v", got)
		}
		if n := r.ledger()["superseded inhibited"]; n != many-2 {
			t.Errorf("%d alerts followed from the node's, want %d: %v", n, many-2, r.ledger())
		}
	})
}

// TestAcknowledged: what somebody looks after is not told again until the time is up, but when it gets worse.
func TestAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.withDesk()
		r.cfg.Route.RepeatInterval = time.Hour
		a, stop := r.start(newFuse(-1, false), false)
		defer stop()
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		pass(90 * time.Minute)
		wantTold(t, "before", r.phones["ops"], "a firing", "a repeat")
		if n := r.phones["ops"].all()[0]; !strings.Contains(n.Message.Body, "https://watch.example.org/l/") {
			t.Errorf("no link in %q", n.Message.Body)
		}
		say(t, a, "POST", "/alerts/a/ack", `{"for":"150m"}`)
		same := state("a", "updated", from, 6000)
		r.produce(same)
		pass(140 * time.Minute)
		wantTold(t, "acknowledged", r.phones["ops"], "a firing", "a repeat")
		pass(80 * time.Minute)
		if got := told(r.phones["ops"]); len(got) < 3 || got[2] != "a repeat" {
			t.Errorf("after the time: %v", got)
		}
		before := len(told(r.phones["ops"]))
		say(t, a, "POST", "/alerts/a/ack", `{"for":"10h"}`)
		worse := state("a", "updated", from, 20000)
		worse.Severity = "critical"
		r.produce(worse)
		pass(time.Minute)
		if got := told(r.phones["ops"]); len(got) != before+1 || got[before] != "a updated" {
			t.Errorf("what got worse is put off: %v", got)
		}
		r.produce(state("a", event.StateResolved, from, 30000))
		pass(time.Minute)
		if got := told(r.phones["ops"]); got[len(got)-1] != "a resolved" {
			t.Errorf("the end is put off: %v", got)
		}
	})
}

// TestLinksOfAGroup: the message about a group has links that act on all of it. What was told is not told again; what comes
// later is, until the group is silenced.
func TestLinksOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.withDesk()
		r.budget = channel.Budget{Fold: 3000}
		r.cfg.Route.GroupBy, r.cfg.Route.RepeatInterval = []string{"severity"}, time.Hour
		a, stop := r.start(newFuse(-1, false), false)
		defer stop()
		fire := func(ids ...string) {
			for _, id := range ids {
				alert := state(id, "firing", time.Now().UTC(), 0)
				alert.Key = []event.KeyPart{{Field: "id", Value: id}}
				r.produce(alert)
			}
			pass(time.Minute)
		}
		click := func(name, want string) {
			t.Helper()
			m := r.phones["ops"].all()[0].Message
			i := slices.IndexFunc(m.Links, func(l channel.Link) bool { return l.Name == name })
			if i < 0 || !strings.Contains(m.Body, m.Links[i].URL) {
				t.Fatalf("no link %q in %+v", name, m)
			}
			w := httptest.NewRecorder()
			link := strings.TrimPrefix(m.Links[i].URL, "https://watch.example.org")
			a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", link, nil))
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		all := func() (list []string) {
			for _, n := range r.phones["ops"].all() {
				list = append(list, strings.Join(whatIsTold(n), ", "))
			}
			return list
		}
		fire("a", "b")
		click("Acknowledge all", "2 acknowledged")
		pass(3 * time.Hour)
		want := []string{"a firing, b firing"}
		if diff := cmp.Diff(want, all()); diff != "" {
			t.Fatalf("acknowledged: -want +got\n%s", diff)
		}
		fire("c", "d")
		if want = append(want, "c firing, d firing"); !slices.Equal(want, all()) {
			t.Fatalf("what nobody looks after: %v", all())
		}
		click("Silence all for 1h", "Silenced until")
		fire("e", "f")
		pass(50 * time.Minute)
		if !slices.Equal(want, all()) {
			t.Fatalf("silenced: %v", all())
		}
		pass(20 * time.Minute)
		if got := all(); len(got) != 3 || !strings.Contains(got[2], "e firing, f firing") {
			t.Errorf("after the silence: %v", got)
		}
	})
}
