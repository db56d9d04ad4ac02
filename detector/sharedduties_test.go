package detector_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/detector"
	"imwatch/event"
)

// flow lets time pass while events come all the time.
func (f *fleet) flow(d time.Duration, draw *rand.Rand) {
	f.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		f.produce(f.happens(draw))
		f.pass(time.Second, "n1", "n2", "n3")
	}
}

// of gives the lines told of a rule, each once.
func (f *fleet) of(ruleID string) []string {
	f.t.Helper()
	var lines []string
	for _, l := range f.alerts() {
		if strings.HasPrefix(l, ruleID+" ") {
			lines = append(lines, l)
		}
	}
	return lines
}

// The owner of the first shard watches the way of the data for all, and whoever takes over goes on with that, while
// events never stop.
func TestSharedCanariesAreWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		draw := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // the same each time
		f := newFleet(t)
		defer f.bus.Close()
		f.join()
		f.join()
		for range 3 {
			f.canary(time.Minute)
			f.flow(time.Minute, draw)
		}
		want(t, f.of(detector.CanaryLost))
		f.leave(0, true) // it had the first shard
		f.flow(2*time.Minute-5*time.Second, draw)
		want(t, f.of(detector.CanaryLost))
		f.flow(10*time.Second, draw)
		f.flow(3*time.Minute, draw)
		want(t, f.of(detector.CanaryLost), "imwatch-canary-lost firing all 180")
		f.join()
		f.leave(0, false)
		f.canary(time.Minute)
		f.flow(30*time.Second, draw)
		want(t, f.of(detector.CanaryLost), "imwatch-canary-lost firing all 180", "imwatch-canary-lost resolved all 0")
		want(t, f.of(detector.DetectorBlind))
		f.leave(0, false)
	})
}

// A node that falls silent is named once, by whoever has the first shard, and holds nobody up.
func TestSharedSourcesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.bus.Close()
		f.join()
		f.join()
		f.pass(5*time.Second, "n1", "n2", "n3")
		f.pass(25*time.Second, "n1", "n2")
		f.produce(f.failed("n1", "192.0.2.1"), f.failed("n1", "192.0.2.1"), f.failed("n1", "192.0.2.1"))
		f.pass(25*time.Second, "n1", "n2")
		want(t, f.of("failures"), "failures firing client.ip=192.0.2.1 3", "failures resolved client.ip=192.0.2.1 0")
		if lines := f.of("imwatch-source-late"); len(lines) != 1 || !strings.HasPrefix(lines[0], "imwatch-source-late firing service.node.name=n3 3") {
			t.Errorf("found %q, expected to be told of n3 once, after 30 s or the second behind", lines)
		}
		f.leave(0, false)
		f.leave(0, false)
	})
}

// Every detector reads the bad file, and one tells of it, also when another takes over.
func TestSharedRefusalsAreToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.bus.Close()
		f.write("bad.yaml", "id: bad\ntitle: Bad\nseverity: loud\ndetect: {threshold: {count: '> 1', window: 1s}}\n")
		for range 3 {
			f.join()
			f.pass(5*time.Second, "n1")
		}
		f.leave(0, false)
		f.pass(5*time.Second, "n1")
		if lines := f.of(detector.RuleRejected); len(lines) != 1 {
			t.Errorf("found %v, expected one line", lines)
		}
		f.write("bad.yaml", "")
		f.pass(10*time.Second, "n1")
		if lines := f.of(detector.RuleRejected); len(lines) != 2 {
			t.Errorf("found %v, expected its end too", lines)
		}
		f.leave(0, false)
		f.leave(0, false)
	})
}

// A rule that is changed while events flow begins fresh in all shards, and those that stay keep what they know.
func TestSharedRulesAreReloaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.bus.Close()
		f.join()
		f.join()
		f.pass(5*time.Second, "n1")
		for i := range 8 { // keys on every shard
			f.produce(f.failed("n1", fmt.Sprintf("192.0.2.%d", i)), f.failed("n1", fmt.Sprintf("192.0.2.%d", i)))
		}
		f.pass(time.Second, "n1")
		f.write("rules.yaml", strings.Replace(sharedRules, "title: Failures\n", "title: Failed\n", 1)+
			"---\nid: more\ntitle: More\nseverity: warn\nwhere: 'event.action: connect'\ngroup_by: [device.id]\ndetect: {threshold: {count: '>= 1', window: 10s}}\n")
		f.pass(4*time.Second, "n1")
		e := f.failed("n1", "192.0.2.3")
		f.produce(e)
		c := f.failed("n1", "192.0.2.9")
		c.SetText(event.FieldEventAction, event.ActionConnect.Code)
		c.SetText(event.FieldDeviceID, "d1")
		f.produce(c)
		f.pass(5*time.Second, "n1")
		if lines := f.of("failures"); !slices.Contains(lines, "failures firing client.ip=192.0.2.3 3") {
			t.Errorf("found %v: the rule has lost what it had counted", lines)
		}
		if lines := f.of("more"); !slices.Contains(lines, "more firing device.id=d1 1") {
			t.Errorf("found %v of the rule that was added", lines)
		}
		f.leave(0, false)
		f.leave(0, false)
	})
}

// Queries are one detector's, with a progress that moves with the first shard.
func TestSharedQueriesMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.bus.Close()
		f.write("rules.yaml", failures+"mode: query\n")
		g := &growing{}
		f.store = g
		f.join()
		f.join()
		f.pass(15*time.Second, "n1")
		g.add(f.failed("n1", "192.0.2.1"), f.failed("n1", "192.0.2.1"), f.failed("n1", "192.0.2.1"))
		f.pass(40*time.Second, "n1")
		f.leave(0, true)
		f.pass(40*time.Second, "n1")
		var states []string
		for _, a := range f.produced() {
			if a.RuleID == "failures" {
				states = append(states, a.State)
			}
		}
		want(t, states, "firing", "resolved")
		f.leave(0, false)
	})
}
