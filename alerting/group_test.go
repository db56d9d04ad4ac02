package alerting_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/channel"
	"imwatch/alerting/route"
	"imwatch/event"
	"imwatch/event/filter"
	"imwatch/internal/store"

	"github.com/google/go-cmp/cmp"
)

// TestGroupsInAnOldIndex: an index that was made before groups does not find any. What waits here is told all the same,
// together, and at its time.
func TestGroupsInAnOldIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.budget = channel.Budget{Fold: 3000}
		r.cfg.Route.GroupBy = []string{"status"}
		r.store.old = true
		_, stop := r.start(newFuse(-1, false), false)
		defer stop()
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0), state("b", "firing", from, 0))
		pass(time.Minute)
		r.produce(state("c", "firing", from, 60))
		r.produce(state("d", "firing", from, 60))
		pass(10 * time.Minute)
		var got []string
		for i, n := range r.phones["ops"].all() {
			got = append(got, fmt.Sprint(r.phones["ops"].at[i].Sub(from).Truncate(time.Second), " ", n.Kind))
		}
		if diff := cmp.Diff([]string{"30s digest", "5m30s digest"}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if n := r.ledger()["sent accepted"]; n != 4 {
			t.Errorf("the ledger: %v", r.ledger())
		}
	})
}

// TestGroupsForReal: two alerters on one store tell a group by robot, mail and SMS in few messages, each of its alerts once,
// and each alert by itself to a program.
func TestGroupsForReal(t *testing.T) {
	w := newWorld(t)
	w.route = route.Config{GroupBy: []string{"labels.notify"}, GroupWait: time.Second, GroupInterval: time.Second}
	w.robot.Plan(robot.WeCom, robot.Answer{Body: `{"errcode":-1,"errmsg":"system busy"}`})
	stops := []func(){w.run(nil), w.run(nil)}
	const many = 12
	for i := range many {
		a := with(state(fmt.Sprintf("a-%02d", i), "firing", time.Now().UTC(), 0), []string{"high", "critical"}[i%2], "wecom,email,sms,webhook")
		a.Key, a.RuleID, a.RuleName = []event.KeyPart{{Field: "id", Value: a.ID}}, "rule", "Rule"
		w.produce(a)
	}
	told := map[string]map[string]int{"wecom": {}, "sms": {}, "webhook": {}, "mail": {}}
	calls := map[string]int{}
	count := func(provider, text string) {
		calls[provider]++
		seen := map[string]bool{}
		for _, id := range regexp.MustCompile(`\ba-\d\d\b`).FindAllString(text, -1) {
			if !seen[id] {
				told[provider][id]++
			}
			seen[id] = true
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := w.robot.Wait(ctx, func(ms []robot.Message) bool { return len(ms) >= many+2 }); err != nil { // most of the work is done by then
		t.Fatalf("%v\n%s", err, w.logs)
	}
	for !w.allSent(ctx, 4*many) {
		if ctx.Err() != nil {
			t.Fatalf("not all was told\n%s", w.logs)
		}
	}
	for _, stop := range stops {
		stop()
	}
	for _, m := range w.robot.Received() {
		count(string(m.Provider), m.Text+string(m.Body))
	}
	for _, m := range w.mail.Received() {
		count("mail", strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(m.Data)))
		if !m.TLS || !strings.Contains(string(m.Data), "<group.") || !strings.Contains(string(m.Data), "text/html") {
			t.Errorf("not the mail of a group: %s", m.Data)
		}
	}
	for provider, ids := range told {
		for id, n := range ids {
			if n != 1 {
				t.Errorf("%s was told %s %d times", provider, id, n)
			}
		}
		if most := map[bool]int{true: many, false: 8}[provider == "webhook"]; calls[provider] > most {
			t.Errorf("%s was called %d times", provider, calls[provider])
		}
	}
	if len(told["wecom"]) != many || len(told["mail"]) != many || len(told["webhook"]) != many || len(told["sms"]) == 0 { // of an SMS few keys have room
		t.Errorf("told: %v", told)
	}
	w.checkLedger(4 * many)
	w.checkSecrets()
}

// allSent says whether the ledger has so many entries that were sent.
func (w *world) allSent(ctx context.Context, n int64) bool {
	if err := w.store.Refresh(ctx, "im-notify-*"); err != nil {
		w.t.Fatal(err)
	}
	f := event.FieldByID(event.FieldNotifyState)
	sent, err := w.store.Count(ctx, store.Query{Indices: "im-notify-*", Where: filter.Equal{
		Field: filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, Value: event.KeywordValue("sent"),
	}})
	if err != nil && ctx.Err() == nil {
		w.t.Fatal(err)
	}
	return sent >= n
}

// TestAFloodInOneGroup: more than one message has room for is told in several, one behind the other; each once.
func TestAFloodInOneGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.budget = channel.Budget{Fold: 100_000}
		r.cfg.Route.GroupBy = []string{"status"}
		_, stop := r.start(newFuse(-1, false), false)
		defer stop()
		const many = 1300
		from := time.Now().UTC()
		for i := range many {
			a := state(fmt.Sprintf("a-%04d", i), "firing", from, 0)
			a.Key[0].Field, a.Key[0].Value = "id", a.ID
			r.produce(a)
		}
		pass(2 * time.Minute)
		told := map[string]int{}
		for _, n := range r.phones["ops"].all() {
			for _, what := range whatIsTold(n) {
				told[what]++
			}
		}
		if n := len(r.phones["ops"].all()); n != 3 || len(told) != many {
			t.Errorf("%d of %d told in %d messages", len(told), many, n)
		}
		if n := r.ledger()["sent accepted"]; n != many {
			t.Errorf("the ledger: %v", r.ledger())
		}
	})
}
