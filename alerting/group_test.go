package alerting_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/alerting/channel"

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
