package alerting_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

// foldScenario is more alerts than the budget takes, one of them critical and one that ends meanwhile.
func foldScenario(r *rig) {
	from := time.Now().UTC()
	for i := range 6 {
		a := state(fmt.Sprint("a", i), event.StateFiring, from, 1)
		if a.Key[0].Value = fmt.Sprintf("10.0.0.%d", i); i == 3 {
			a.Severity = "critical"
		}
		r.produce(a)
	}
	over := state("a1", event.StateResolved, from, 2)
	over.Key[0].Value = "10.0.0.1"
	r.produce(over)
}

// named counts the accepted messages that tell each state of each alert, alone or in a digest.
func named(p *phone) map[string]int {
	out := map[string]int{}
	for _, n := range p.all() {
		if n.Kind != channel.Digest {
			out[n.Alert.Key[0].Value+" "+string(n.Kind)]++
			continue
		}
		for line := range strings.SplitSeq(n.Message.Body, "\n") {
			_, list, ok := strings.Cut(line, ": ")
			ok = ok && strings.Contains(line, "×")
			if !ok {
				continue
			}
			kind := channel.Firing
			if strings.Contains(line, "["+string(channel.Resolved)+"]") {
				kind = channel.Resolved
			}
			for key := range strings.SplitSeq(list, "; ") {
				out[strings.TrimPrefix(key, "client.ip=")+" "+string(kind)]++
			}
		}
	}
	return out
}

// TestCrashInDigest kills an alerter at each of its calls while it folds, and starts another one. Nothing is lost, the
// ledger is whole, and only a message that was accepted and not written down comes twice.
func TestCrashInDigest(t *testing.T) {
	setUp := func(t *testing.T) *rig {
		t.Helper()
		r := newRig(t, "ops")
		r.budget = channel.Budget{Key: "robot", Calls: 3, Per: time.Minute, Reserve: 1, Fold: 3000}
		foldScenario(r)
		return r
	}
	steps, digests := 0, 0
	synctest.Test(t, func(t *testing.T) {
		r := setUp(t)
		f := newFuse(-1, false)
		_, stop := r.start(f, false)
		pass(5 * time.Minute)
		stop()
		steps, _ = f.state()
		for _, n := range r.phones["ops"].all() {
			if n.Kind == channel.Digest {
				digests++
			}
		}
		if got := named(r.phones["ops"]); len(got) != 7 {
			t.Fatalf("the scenario itself is wrong: %v", got)
		}
	})
	if digests == 0 {
		t.Fatal("nothing was folded")
	}
	doubled := 0
	for n := range min(steps+3, 90) {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := setUp(t)
				f := newFuse(n, after)
				_, stop := r.start(f, false)
				pass(2 * time.Minute)
				_, where := f.state()
				stop()
				r.whole(10 * time.Minute)
				got := named(r.phones["ops"])
				if len(got) != 7 {
					t.Errorf("killed at call %d (%s, after: %v): told are only %v", n, where, after, got)
				}
				extra := 0
				for _, times := range got {
					extra += times - 1
				}
				doubled += extra
				if extra > 0 && where == "" {
					t.Errorf("nothing was killed, and %d came twice", extra)
				}
				for id, doc := range r.store.all("im-notify-*") {
					var d struct {
						IM struct{ Notify struct{ State string } } `json:"im"`
					}
					if err := json.Unmarshal(doc, &d); err != nil || d.IM.Notify.State != "sent" {
						t.Errorf("killed at call %d (%s, after: %v): %s is %s, %v", n, where, after, id, d.IM.Notify.State, err)
					}
				}
			})
		}
	}
	if doubled == 0 {
		t.Error("no acceptance was ever lost: the matrix does not reach the step it is about")
	}
	t.Logf("%d steps, %d states told twice", steps, doubled)
}
