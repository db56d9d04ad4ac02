package acceptance

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"imwatch/event"

	gocmp "github.com/google/go-cmp/cmp"
)

// everybody is who is told of each alert.
var everybody = []string{"hook", "mail", "robot"}

// names lists alerts for comparison: rule, key and start, by id.
func names(alerts map[string]*event.Alert, with func(*event.Alert) string) []string {
	var list []string
	for _, a := range alerts {
		list = append(list, with(a))
	}
	slices.Sort(list)
	return list
}

func ruleAndKey(a *event.Alert) string { return a.RuleID + " " + a.KeyString() + " " + a.State }

func ruleKeyAndStart(a *event.Alert) string {
	return a.RuleID + " " + a.KeyString() + " since " + event.FormatTime(a.From) + " " + a.ID
}

// hooked gives the alerts that the webhook got, by id.
func hooked(all []notice) map[string]*event.Alert {
	alerts := map[string]*event.Alert{}
	for _, n := range all {
		if n.line != nil {
			alerts[n.alert] = n.line
		}
	}
	return alerts
}

// missing gives an error unless each receiver was told at least want, as names prints it.
func missing(all []notice, want int) error {
	got := map[string]map[string]bool{}
	for _, n := range all {
		if got[n.receiver] == nil {
			got[n.receiver] = map[string]bool{}
		}
		got[n.receiver][n.alert] = true
	}
	for _, r := range everybody {
		if len(got[r]) < want {
			return fmt.Errorf("%s was told %d of %d alerts", r, len(got[r]), want)
		}
	}
	return nil
}

// toldOnce checks that every receiver was told of exactly these alerts, by id, once each and of nothing else.
func toldOnce(t *testing.T, all []notice, alerts map[string]*event.Alert) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, r := range everybody {
		for _, id := range slices.Sorted(maps.Keys(alerts)) {
			want[notice{receiver: r, kind: event.StateFiring, alert: id}.String()] = 1
		}
	}
	for _, n := range all {
		got[n.String()]++
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("who was told what, and how often (-want +got):\n%s", diff)
	}
}

// logLatency says how long it took from the event that made each alert true to the receivers' calls.
func logLatency(t *testing.T, all []notice) {
	t.Helper()
	type call struct {
		took time.Duration
		of   string
	}
	alerts := hooked(all)
	for _, r := range everybody {
		var calls []call
		for _, n := range all {
			if a := alerts[n.alert]; n.receiver == r && a != nil {
				calls = append(calls, call{n.at.Sub(a.From).Round(time.Millisecond), ruleAndKey(a)})
			}
		}
		if len(calls) == 0 {
			continue
		}
		slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.took, b.took) })
		rank := func(p float64) call { return calls[int(math.Ceil(p*float64(len(calls))))-1] }
		t.Logf("from the event to %-5s P50 %v, P99 %v (%s), of %d", r, rank(0.5).took, rank(0.99).took, rank(0.99).of, len(calls))
	}
}
