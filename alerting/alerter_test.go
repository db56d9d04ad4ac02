package alerting_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/route"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

func TestAlertIsToldOnceInEachState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		from := time.Now().UTC()
		_, stop := r.start(newFuse(-1, false), false)
		r.produce(state("a", "firing", from, 1), state("a", "updated", from, 2), state("a", "updated", from, 3), state("a", "resolved", from, 9))
		pass(time.Second)
		want := []string{"a firing", "a updated", "a updated", "a resolved"}
		if diff := cmp.Diff(want, told(r.phones["ops"])); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		stop()
		var doc struct {
			IM struct{ Alert struct{ State string } } `json:"im"`
		}
		if err := json.Unmarshal(r.store.all("im-alerts-*")["a"], &doc); err != nil || doc.IM.Alert.State != "resolved" {
			t.Errorf("kept %+v, %v", doc, err)
		}
	})
}

func TestEverythingDeliveredAgainChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops", "boss")
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 1), state("b", "firing", from, 1), state("a", "updated", from, 2), state("a", "resolved", from, 9))
		for range 3 {
			_, stop := r.start(newFuse(-1, false), true)
			pass(time.Minute)
			stop()
		}
		before := r.store.all("im-*")
		for name, p := range r.phones {
			if got := told(p); len(got) != 4 {
				t.Errorf("%s was told %v", name, got)
			}
		}
		r.whole(time.Minute)
		if diff := cmp.Diff(before, r.store.all("im-*")); diff != "" {
			t.Errorf("the store changed: -before +after\n%s", diff)
		}
	})
}

func TestShadowIsKeptAndNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		a := state("s", "firing", time.Now().UTC(), 0)
		a.Status = "shadow"
		r.produce(a)
		r.whole(24 * time.Hour)
		if got := told(r.phones["ops"]); len(got) != 0 {
			t.Errorf("told %v", got)
		}
		if r.store.all("im-alerts-*")["s"] == nil {
			t.Error("not kept")
		}
	})
}

func TestOldStateAfterResolvedIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		from := time.Now().UTC()
		r.produce(state("a", "resolved", from, 9), state("a", "updated", from, 5), state("a", "firing", from, 1))
		r.whole(time.Minute)
		if diff := cmp.Diff([]string{"a resolved"}, told(r.phones["ops"])); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestUnreadableLineBecomesDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.produceRaw("a", []byte(`{"broken`))
		r.produceRaw("a", []byte("\xff\xfe"))
		strange, err := json.Marshal(state("a", "exploded", time.Now().UTC(), 0))
		if err != nil {
			t.Fatal(err)
		}
		r.produceRaw("a", strange)
		r.produce(state("a", "firing", time.Now().UTC(), 0))
		r.whole(time.Minute)
		letters := r.store.all("im-deadletter-*")
		if len(letters) != 3 {
			t.Errorf("%d dead letters: %s", len(letters), letters)
		}
		originals := ""
		for _, l := range letters {
			var d struct{ Original, Stage, Topic string }
			if err := json.Unmarshal(l, &d); err != nil || d.Stage != "alerting" || d.Topic != "im.alerts" {
				t.Errorf("%s: %v", l, err)
			}
			originals += d.Original + "\n"
		}
		for _, part := range []string{`{"broken`, "//4=", "exploded"} {
			if !strings.Contains(originals, part) {
				t.Errorf("%q is lost: %s", part, originals)
			}
		}
		if got := told(r.phones["ops"]); len(got) != 1 {
			t.Errorf("told %v", got)
		}
	})
}

func TestStillFiringIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops", "boss")
		r.cfg.Route = route.Config{RepeatInterval: 4 * time.Hour, Routes: []route.Config{
			{Receivers: []string{"ops"}, Continue: true, RepeatInterval: time.Hour}, {Receivers: []string{"boss"}},
		}}
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0))
		r.whole(150 * time.Minute) // stopped and started again: the moments are the same
		r.whole(110 * time.Minute)
		_, stop := r.start(newFuse(-1, false), false)
		r.produce(state("a", "updated", from, 15600)) // at 4 h 20 min: repeats are counted from here
		pass(70 * time.Minute)
		r.produce(state("a", "resolved", from, 19800))
		pass(6 * time.Hour)
		stop()
		var at []string
		for _, n := range r.phones["ops"].all() {
			at = append(at, string(n.Kind))
		}
		want := []string{"firing", "repeat", "repeat", "repeat", "repeat", "updated", "repeat", "resolved"}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("ops: -want +got\n%s", diff)
		}
		if diff := cmp.Diff([]string{"a firing", "a repeat", "a updated", "a resolved"}, told(r.phones["boss"])); diff != "" {
			t.Errorf("boss: -want +got\n%s", diff)
		}
	})
}

func TestMissedRepeatIsMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.produce(state("a", "firing", time.Now().UTC(), 0))
		r.whole(time.Minute)
		pass(9 * time.Hour)
		r.whole(time.Minute)
		if diff := cmp.Diff([]string{"a firing", "a repeat"}, told(r.phones["ops"])); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.budget = channel.Budget{Key: "robot", Calls: 20, Per: time.Minute}
		from := time.Now().UTC()
		for i := range 100 {
			r.produce(state("a"+string(rune('0'+i/10))+string(rune('0'+i%10)), "firing", from, 0))
		}
		_, stop := r.start(newFuse(-1, false), false)
		total := 0
		for range 5 {
			pass(time.Minute - time.Millisecond)
			n := len(r.phones["ops"].all())
			if n-total > 20 {
				t.Errorf("%d calls in a minute", n-total)
			}
			total = n
			pass(time.Millisecond)
		}
		pass(time.Second)
		stop()
		if got := len(r.phones["ops"].all()); got != 100 {
			t.Errorf("%d of 100 told after five minutes", got)
		}
	})
}

func TestProviderThatAsksToWaitIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		p := r.phones["ops"]
		p.answers = []channel.Result{channel.TryLater(10*time.Minute, "too often")}
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0), state("b", "firing", from, 0))
		_, stop := r.start(newFuse(-1, false), false)
		pass(10*time.Minute - time.Second)
		if n := p.attempts(); n != 1 {
			t.Errorf("%d calls before the time", n)
		}
		pass(2 * time.Minute)
		stop()
		if got := told(p); len(got) != 2 {
			t.Errorf("told %v", got)
		}
	})
}

func TestFailedGoesToTheFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "robot", "mail")
		r.cfg.Receivers[0].Fallback = "mail"
		r.cfg.Route = route.Config{Receivers: []string{"robot"}}
		r.phones["robot"].answers = []channel.Result{channel.Refuse("93000: bad key"), channel.TryLater(0, "busy"), channel.NoAnswer("timeout")}
		from := time.Now().UTC()
		_, stop := r.start(newFuse(-1, false), false)
		r.produce(state("a", "firing", from, 0))
		pass(time.Second)
		r.produce(state("b", "firing", from, 0))
		pass(time.Hour)
		stop()
		if diff := cmp.Diff([]string{"a firing"}, told(r.phones["mail"])); diff != "" {
			t.Errorf("mail: -want +got\n%s", diff)
		}
		if diff := cmp.Diff([]string{"b firing"}, told(r.phones["robot"])); diff != "" {
			t.Errorf("robot: -want +got\n%s", diff)
		}
		states := map[string]int{}
		for _, doc := range r.store.all("im-notify-*") {
			var d struct {
				IM struct {
					Notify struct{ State, Answer, FallbackOf string }
				} `json:"im"`
			}
			if err := json.Unmarshal(doc, &d); err != nil {
				t.Fatal(err)
			}
			states[d.IM.Notify.State]++
			if d.IM.Notify.State == "failed" && d.IM.Notify.Answer != "93000: bad key" {
				t.Errorf("the provider's words are lost: %s", doc)
			}
		}
		if diff := cmp.Diff(map[string]int{"failed": 1, "sent": 2}, states); diff != "" {
			t.Errorf("ledger: -want +got\n%s", diff)
		}
	})
}

func TestDeadlineGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "robot", "mail")
		r.cfg.Receivers[0].Fallback = "mail"
		r.cfg.Route = route.Config{Receivers: []string{"robot"}}
		for range 1000 {
			r.phones["robot"].answers = append(r.phones["robot"].answers, channel.TryLater(0, "busy"))
		}
		r.produce(state("a", "firing", time.Now().UTC(), 0))
		_, stop := r.start(newFuse(-1, false), false)
		pass(58 * time.Minute)
		if got := told(r.phones["mail"]); len(got) != 0 {
			t.Errorf("fallback told before the deadline: %v", got)
		}
		pass(3 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"a firing"}, told(r.phones["mail"])); diff != "" {
			t.Errorf("mail: -want +got\n%s", diff)
		}
		if n := r.phones["robot"].attempts(); n < 60 || n > 90 {
			t.Errorf("%d attempts in an hour", n)
		}
	})
}

func TestReceiverThatWantsLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		r.cfg.Receivers[0].SendResolved, r.cfg.Receivers[0].SendUpdated = false, false
		from := time.Now().UTC()
		r.produce(state("a", "firing", from, 0), state("a", "updated", from, 1), state("a", "resolved", from, 2))
		r.whole(time.Minute)
		if diff := cmp.Diff([]string{"a firing"}, told(r.phones["ops"])); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		a, stop := r.start(newFuse(-1, false), false)
		pass(time.Second)
		if err := a.Ready(); err != nil {
			t.Errorf("running: %v", err)
		}
		stop()
		if a.Ready() == nil {
			t.Error("ready after the end")
		}
		f := newFuse(0, false)
		b, stop := r.start(f, false)
		pass(time.Second)
		if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "outbox") {
			t.Errorf("with a dead store: %v", err)
		}
		stop()
	})
}

func TestReceiverTakenOutOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops", "gone")
		for range 1000 {
			r.phones["gone"].answers = append(r.phones["gone"].answers, channel.TryLater(0, "busy"))
		}
		r.produce(state("a", event.StateFiring, time.Now().UTC(), 0))
		r.whole(time.Minute)
		r.cfg.Receivers = r.cfg.Receivers[:1]
		r.cfg.Route = route.Config{Receivers: []string{"ops"}}
		r.whole(2 * time.Hour)
		failed := 0
		for _, doc := range r.store.all("im-notify-*") {
			if strings.Contains(string(doc), "no longer configured") && strings.Contains(string(doc), `"outcome":"failure"`) {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%d entries say that their receiver is gone", failed)
		}
	})
}

func TestRepeatIsOvertakenByTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "ops")
		p := r.phones["ops"]
		r.produce(state("a", "firing", time.Now().UTC(), 0))
		_, stop := r.start(newFuse(-1, false), false)
		pass(4*time.Hour - time.Second)
		p.mu.Lock()
		p.answers = []channel.Result{channel.TryLater(time.Minute, "busy")} // for the repeat
		p.mu.Unlock()
		pass(10 * time.Second)
		r.produce(state("a", "resolved", time.Now().UTC().Add(-4*time.Hour), 4*3600))
		pass(2 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"a firing", "a resolved"}, told(p)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if n := p.attempts(); n != 3 {
			t.Errorf("%d attempts, the repeat was not tried at all", n)
		}
	})
}
