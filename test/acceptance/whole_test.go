package acceptance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/sim"

	"github.com/google/go-cmp/cmp"
)

const (
	badTokens = 25
	silent    = 12
)

// wholeWay is the shipped scenario acceptance, made shorter for short heartbeats: what must raise alerts beside what
// must not.
func wholeWay(t *testing.T) sim.Scenario {
	t.Helper()
	s, err := sim.ByName("acceptance")
	if err != nil {
		t.Fatal(err)
	}
	s.Duration, s.Ramp, s.Life, s.Heartbeat = 50*time.Second, 8*time.Second, 40*time.Second, 2*time.Second
	s.Troubles = []sim.Trouble{
		{Kind: sim.Silent, At: 9 * time.Second, Count: silent},
		{Kind: sim.BadTokens, At: 10 * time.Second, For: 25 * time.Second, Count: badTokens, Addresses: 5, Reason: event.HandshakeTokenSignature},
		{Kind: sim.Reset, At: 25 * time.Second, Count: 1},
		{Kind: sim.NodeStop, At: 36 * time.Second, Node: 1},
	}
	return s
}

// expected is what TestWholeWay's trouble is to raise.
var expected = []string{
	"fatal-event service.node.name=" + gateway + " firing",
	"handshake-failures-by-reason event.reason=" + event.HandshakeTokenSignature.Reason + " firing",
	"heartbeat-timeouts-by-node service.node.name=" + node1 + " firing",
}

// TestWholeWay follows 300 real clients and their trouble from the socket to every store and receiver.
func TestWholeWay(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			// Rules about how long things take would find a busy machine.
			timed := []string{"slow-handshakes", "handshake-p99"}
			s := m.open(t, someRules(t, func(id string) bool { return !slices.Contains(timed, id) }))
			s.badGateway(t)
			report, err := s.play(t.Context(), wholeWay(t))
			if err != nil {
				t.Fatal(err)
			}
			s.fatal(t)
			waitFor(t, "everybody is told", time.Minute, func(context.Context) error { return missing(s.told.notices(t), len(expected)) })
			s.logLate(t)
			s.canaryPasses(t)
			docs, letters := s.store.settled(t, s)

			told := s.told.notices(t)
			if diff := cmp.Diff(expected, names(hooked(told), ruleAndKey)); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
			toldOnce(t, told, hooked(told))
			logLatency(t, told)
			checkLog(t, readJournal(t, s.logs), report)
			if letters != 0 {
				t.Errorf("%d dead letters", letters)
			}
			oneEnd(t, docs)
			if es, ok := s.store.(elastic); ok {
				typedQueries(t, es, docs)
				evaluatorsAgree(t, s)
			}
		})
	}
}

// checkLog holds the log against what the clients know, so that a line that was never written is noticed too.
func checkLog(t *testing.T, j journal, report sim.Report) {
	t.Helper()
	t.Logf("%d lines in %d files", len(j.lines), j.files)
	if j.torn > 0 || len(j.doubled) > 0 {
		t.Errorf("%d lines are no events, %d ids stand twice: %s", j.torn, len(j.doubled), some(j.doubled))
	}
	count := map[string]int64{}
	for _, r := range j.lines {
		count[r.action]++
		if r.status == 401 {
			count["401"]++
		}
	}
	total := report.Total()
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"connects", count[event.ActionConnect.Code], total.Connects},
		{"handshakes refused for their token", count["401"], badTokens},
		{"refusals that the clients met", total.Refusals[event.HandshakeTokenSignature.Reason], badTokens},
		{"heartbeat time-outs", count[event.ActionHeartbeatTimeout.Code], silent},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

// typedQueries runs what people type into Kibana.
func typedQueries(t *testing.T, es elastic, docs map[string]record) {
	t.Helper()
	for status, atLeast := range map[int64]int{401: badTokens, 500: 1} {
		want := []string{}
		for id, r := range docs {
			if r.status == status && r.path == clientPath {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		query := fmt.Sprintf(`status:%d AND path:"%s"`, status, clientPath)
		if diff := cmp.Diff(want, es.typed(t, query)); diff != "" || len(want) < atLeast {
			t.Errorf("%s finds other than the %d lines (-want +got):\n%s", query, len(want), diff)
		}
		t.Logf("%s finds %d", query, len(want))
	}
}
