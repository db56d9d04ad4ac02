package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"imwatch/im-server/cluster"
)

func TestANodeGoesOnAloneAndCatchesUp(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, server.Addr())
	a, b := w.start("a", "1"), w.start("b", "1")
	a.follow("r:1")
	b.follow("r:1")
	a.say("r:1", "m1")
	a.awaitHeard("m1@1")
	server.Close()
	if r := a.say("r:1", "m2"); r.Offset != 0 || r.Duplicate {
		t.Errorf("while Redis is lost: %+v", r)
	}
	a.awaitHeard("m1@1", "m2@0")
	a.awaitUp(false)
	if r := a.say("r:1", "m2"); r.Offset != 0 || !r.Duplicate {
		t.Errorf("the same once more: %+v", r)
	}
	a.say("r:2", "elsewhere") // nobody follows it here
	if _, err := a.Read(t.Context(), "r:1", 0, 1); !errors.Is(err, ErrLost) {
		t.Errorf("reading gave %v", err)
	}
	if err := a.Follow(t.Context(), "r:3"); err != nil {
		t.Errorf("following gave %v", err)
	}
	a.say("r:3", "m3")
	a.awaitHeard("m1@1", "m2@0", "m3@0")
	b.awaitUp(false)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	a.awaitUp(true)
	if got := a.ids("r:1"); !slices.Equal(got, []string{"m1", "m2"}) {
		t.Errorf("r:1 holds %v", got)
	}
	if got := a.ids("r:2"); !slices.Equal(got, []string{"elsewhere"}) {
		t.Errorf("r:2 holds %v", got)
	}
	if a.journal.Len() != 0 {
		t.Errorf("%d are still in the journal", a.journal.Len())
	}
	page, err := a.Read(t.Context(), "r:1", 1, 10)
	if err != nil || len(page.Messages) != 1 || !page.Messages[0].Again {
		t.Errorf("what was handed out before is not marked: %+v, %v", page.Messages, err)
	}
	b.awaitUp(true)
	// Both hear of it: by the feed, or since it had broken.
	for _, n := range []*testNode{a, b} {
		await(t, "m2 at its place", func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return slices.Contains(n.lost, "r:1") || slices.ContainsFunc(n.got, func(m cluster.Message) bool { return m.ID == "m2" && m.Offset == 2 })
		})
	}
	if r := a.say("r:1", "m4"); r.Offset != 3 {
		t.Errorf("afterwards: %+v", r)
	}
	if r := b.say("r:1", "m2"); r.Offset != 2 || !r.Duplicate {
		t.Errorf("another node knows m2 as %+v", r)
	}
	if diff := cmp.Diff([]string{"false open true", "true closed false"}, a.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestTheJournalOutlivesItsNode(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, server.Addr())
	a := w.start("a", "1")
	a.say("r:1", "m1")
	server.Close()
	a.say("r:1", "m2")
	a.say("r:1", "m3")
	a.stop()
	a = w.start("a", "2")
	a.awaitUp(false)
	a.say("r:1", "m4")
	if r := a.say("r:1", "m3"); !r.Duplicate {
		t.Errorf("the journal of the process before is not known: %+v", r)
	}
	a.stop()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	a = w.start("a", "3")
	if r := a.say("r:1", "m5"); r.Offset != 5 {
		t.Errorf("published before what was in the journal: %+v", r)
	}
	if got := a.ids("r:1"); !slices.Equal(got, []string{"m1", "m2", "m3", "m4", "m5"}) {
		t.Errorf("r:1 holds %v", got)
	}
	page, err := a.Read(t.Context(), "r:1", 0, 10)
	if err != nil || slices.ContainsFunc(page.Messages, func(m cluster.Message) bool { return m.Again }) {
		t.Errorf("this process has handed out none of %+v, %v", page.Messages, err)
	}
	if len(a.changes) != 0 {
		t.Errorf("Redis was there all the time, but %v", a.changes)
	}
}

// Redis took the message, and its answer was lost: nobody can know that, and still it stands there once. A second time it
// waits in the journal for longer than ids are known.
func TestWhatRedisTookUnheardStandsThereOnce(t *testing.T) {
	for _, wait := range []time.Duration{0, 10 * testKeep.Dedupe} {
		server := miniredis.RunT(t)
		clock := newClock(server)
		g := newGate(t, server.Addr())
		w := newWorld(t, g.ln.Addr().String())
		w.cfg.Timeout, w.now = 100*time.Millisecond, clock.now
		a := w.start("a", "1")
		a.say("r:1", "m1")
		g.shut.Store(true)
		if r := a.say("r:1", "m2"); r.Offset != 0 {
			t.Errorf("unheard: %+v", r)
		}
		a.awaitUp(false)
		if entries, err := server.Stream(a.keys.stream("r:1")); err != nil || len(entries) != 2 {
			t.Fatalf("Redis has %v, %v", entries, err)
		}
		a.say("r:1", "m3")
		clock.advance(wait)
		g.shut.Store(false)
		a.awaitUp(true)
		if got := a.ids("r:1"); !slices.Equal(got, []string{"m1", "m2", "m3"}) {
			t.Errorf("after %v r:1 holds %v", wait, got)
		}
		a.stop()
	}
}

func TestAFullJournalRefuses(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, server.Addr())
	w.cfg.JournalBytes = 200
	a := w.start("a", "1")
	a.say("r:1", "m1")
	server.Close()
	a.say("r:1", "m2")
	m := testMessage("r:1", "m3", time.Now())
	m.Body = []byte(`"` + strings.Repeat("x", 300) + `"`)
	for range 2 {
		if _, err := a.Publish(t.Context(), m); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "full") {
			t.Errorf("a full journal gave %v", err)
		}
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	a.awaitUp(true)
	if got := a.ids("r:1"); !slices.Equal(got, []string{"m1", "m2"}) {
		t.Errorf("r:1 holds %v", got)
	}
}

// A Redis that answers, but takes nothing, is lost as well.
func TestARedisThatCannotServeIsLost(t *testing.T) {
	for _, answer := range []string{
		"OOM command not allowed when used memory > 'maxmemory'.", "LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
		"MISCONF Redis is configured to save RDB snapshots", "NOAUTH Authentication required.", "CLUSTERDOWN The cluster is down",
	} {
		server := miniredis.RunT(t)
		w := newWorld(t, server.Addr())
		a := w.start("a", "1")
		a.say("r:1", "m1")
		server.SetError(answer)
		if r := a.say("r:1", "m2"); r.Offset != 0 {
			t.Errorf("%s: %+v", answer, r)
		}
		a.awaitUp(false)
		server.SetError("")
		a.awaitUp(true)
		if got := a.ids("r:1"); !slices.Equal(got, []string{"m1", "m2"}) {
			t.Errorf("%s: r:1 holds %v", answer, got)
		}
		a.stop()
	}
}

// Connections that something between here and Redis has closed say nothing of Redis.
func TestIdleConnectionsMayBeClosed(t *testing.T) {
	server := miniredis.RunT(t)
	g := newGate(t, server.Addr())
	w := newWorld(t, g.ln.Addr().String())
	w.cfg.Failures, w.cfg.Ping = 1, time.Hour
	a := w.start("a", "1")
	ctx := t.Context()
	a.say("r:1", "m1") // it has begun
	for i := range 5 {
		g.bites.Store(1)
		if err := a.SetInbox(ctx, "al", "phone", "e", int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if !a.Ready() {
		t.Error("Redis counts as lost")
	}
}

// Only what was missed is told as lost.
func TestABrokenFeedTellsWhatWasMissed(t *testing.T) {
	server := miniredis.RunT(t)
	g := newGate(t, server.Addr())
	w := newWorld(t, g.ln.Addr().String())
	a := w.start("a", "1")
	w.cfg.Addrs = []string{server.Addr()}
	b := w.start("b", "1")
	a.follow("r:1", "r:2", "r:3")
	if err := a.Watch(t.Context(), "al"); err != nil {
		t.Fatal(err)
	}
	b.say("r:1", "m1")
	b.say("r:2", "m2")
	await(t, "both", func() bool { return len(a.heard()) == 2 })
	g.shut.Store(true)
	g.cut()
	b.say("r:2", "m3")
	if err := b.Enter(t.Context(), "al", cluster.Device{Connection: "c"}); err != nil {
		t.Fatal(err)
	}
	g.shut.Store(false)
	await(t, "what was missed", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.Contains(a.lost, "r:2") && slices.Equal(a.seen, []string{"altrue"})
	})
	a.follow("r:4")
	b.say("r:1", "m4")
	await(t, "what comes now", func() bool { return slices.Contains(a.heard(), "m4@2") })
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.lost, "r:1") || slices.Contains(a.lost, "r:3") {
		t.Errorf("nothing was missed of r:1 and r:3, but lost are %v", a.lost)
	}
}

// Redis came back with older data: numbers are given a second time.
func TestARedisThatForgotMakesAnotherEpoch(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, server.Addr())
	a, b := w.start("a", "1"), w.start("b", "1")
	a.follow("r:1")
	epoch := a.say("r:1", "m1").Epoch
	b.say("r:1", "m2")
	b.say("r:1", "m3")
	a.awaitHeard("m1@1", "m2@2", "m3@3")
	ctx := context.Background()
	for _, err := range []error{
		b.client.XDel(ctx, b.keys.stream("r:1"), "2-0", "3-0").Err(), b.client.HSet(ctx, b.keys.meta("r:1"), "n", 1).Err(),
		b.client.XGroupCreate(ctx, b.keys.stream("r:1"), "g", "1-0").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.client.Del(ctx, b.keys.stream("r:1")) // so that number 2 is free
	if r := b.say("r:1", "m4"); r.Offset != 2 || r.Epoch != epoch {
		t.Fatalf("%+v", r)
	}
	await(t, "r:1 is lost", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.Contains(a.lost, "r:1")
	})
	page, err := a.Read(t.Context(), "r:1", 0, 10)
	if err != nil || page.Epoch == epoch || len(page.Messages) != 1 || page.Messages[0].ID != "m4" {
		t.Errorf("now it is %+v, %v", page, err)
	}
}

func TestPresenceIsMadeGood(t *testing.T) {
	server := miniredis.RunT(t)
	clock := newClock(server)
	w := newWorld(t, server.Addr())
	w.now = clock.now
	a, b := w.start("a", "1"), w.start("b", "1")
	ctx := context.Background()
	for _, n := range []*testNode{a, b} {
		if err := renewed(n); err != nil {
			t.Fatal(err)
		}
	}
	enter := func(connection string) error { return a.Enter(ctx, "al", cluster.Device{Connection: connection}) }
	if err := errors.Join(enter("c1"), enter("c2"), a.Opened(ctx, []cluster.Open{{ID: "c1"}, {ID: "c2"}})); err != nil {
		t.Fatal(err)
	}
	server.Close()
	a.say("r:1", "m1")
	a.awaitUp(false)
	b.awaitUp(false)
	for _, err := range []error{
		enter("c3"), a.Leave(ctx, "al", "c1"), a.Closed(ctx, []string{"c1"}), a.Opened(ctx, []cluster.Open{{ID: "c3"}}), renewed(a),
	} {
		if !errors.Is(err, ErrLost) {
			t.Errorf("while Redis is lost: %v", err)
		}
	}
	clock.advance(2 * time.Minute) // every lease runs out meanwhile
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	b.awaitUp(true)
	a.awaitUp(true)
	if dead, err := b.Reap(ctx); err != nil || len(dead) != 0 {
		t.Errorf("taken for dead, before it could renew its lease: %+v, %v", dead, err)
	}
	if err := renewed(a); err != nil {
		t.Error(err)
	}
	await(t, "c2 and c3 are there", func() bool {
		devices, err := b.Devices(ctx, "al")
		return err == nil && len(devices) == 2 && devices[0].Connection == "c2" && devices[1].Connection == "c3"
	})
	await(t, "c2 and c3 are open", func() bool {
		ids, err := b.client.HKeys(ctx, b.keys.open(a.member)).Result()
		slices.Sort(ids)
		return err == nil && slices.Equal(ids, []string{"c2", "c3"})
	})
	server.FlushAll() // it comes back with nothing
	if err := errors.Join(renewed(b), renewed(a)); err != nil {
		t.Errorf("a Redis that forgot all has buried nobody: %v", err)
	}
	await(t, "c2 and c3 are there again", func() bool {
		devices, err := b.Devices(ctx, "al")
		return err == nil && len(devices) == 2
	})
}

// renewed holds a lease of a node that nobody took for dead.
func renewed(n *testNode) error {
	l, err := n.Renew(context.Background(), time.Minute)
	if err == nil && l.Buried != nil {
		err = fmt.Errorf("%s was taken for dead: %+v", n.opts.Node, *l.Buried)
	}
	return err
}
