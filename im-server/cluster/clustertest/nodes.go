package clustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/im-server/cluster"
)

const lease = 30 * time.Second

// testPresence lets connections come and go on two nodes, one of which dies and comes back.
func testPresence(t *testing.T, f Factory) {
	t.Helper()
	check(t, f, smallKeep, []string{"a", "b"}, func(t *rapid.T, p *party) {
		for _, n := range p.nodes {
			renewed(t, n, 24*time.Hour)
		}
		there := map[string][]cluster.Device{} // by user
		watched := map[*node]map[string][]bool{}
		for _, n := range p.nodes {
			watched[n] = map[string][]bool{}
		}
		made := 0
		users := rapid.SampledFrom([]string{"al", "bo"})
		edge := func(t *rapid.T, user string, was bool) {
			is := len(there[user]) > 0
			for n, by := range watched {
				want, ok := by[user]
				if !ok || is == was {
					continue
				}
				by[user] = append(want, is)
				n.await(t, fmt.Sprint(user, " is there: ", is), func() bool { return p.sees(n, user, by[user]) })
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				n, user := p.some(t), users.Draw(t, "user")
				made++
				d := cluster.Device{Device: "phone", Platform: "ios", Connection: name("c", made), Session: "s", Since: time.Unix(int64(made), 0).UTC()}
				was := len(there[user]) > 0
				ok(t, n.Enter(context.Background(), user, d))
				d.Node = n.name
				there[user] = append(there[user], d)
				edge(t, user, was)
			},
			"change": func(t *rapid.T) {
				user := users.Draw(t, "user")
				if len(there[user]) == 0 {
					t.Skip("nobody is there")
				}
				d := &there[user][rapid.IntRange(0, len(there[user])-1).Draw(t, "which")]
				d.Session = "changed"
				n := p.nodes[slices.IndexFunc(p.nodes, func(n *node) bool { return n.name == d.Node })]
				ok(t, n.Enter(context.Background(), user, *d))
			},
			"leave": func(t *rapid.T) {
				user := users.Draw(t, "user")
				if len(there[user]) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(there[user])-1).Draw(t, "which")
				d := there[user][i]
				n := p.nodes[slices.IndexFunc(p.nodes, func(n *node) bool { return n.name == d.Node })]
				for range 2 {
					ok(t, n.Leave(context.Background(), user, d.Connection))
				}
				there[user] = slices.Delete(there[user], i, i+1)
				edge(t, user, true)
			},
			"watch": func(t *rapid.T) {
				n, user := p.some(t), users.Draw(t, "user")
				ok(t, n.Watch(context.Background(), user))
				if watched[n][user] == nil {
					watched[n][user] = []bool{}
					n.note(func() { delete(n.seen, user) })
				}
			},
			"unwatch": func(t *rapid.T) {
				n, user := p.some(t), users.Draw(t, "user")
				n.Unwatch(user)
				delete(watched[n], user)
			},
			"": func(t *rapid.T) {
				for _, user := range []string{"al", "bo"} {
					got := must[[]cluster.Device](t)(p.nodes[made%2].Devices(context.Background(), user))
					if diff := cmp.Diff(there[user], got, nilIsEmpty); diff != "" {
						t.Fatalf("devices of %s (-want +got):\n%s", user, diff)
					}
				}
				for n, by := range watched {
					for user, want := range by {
						n.await(t, fmt.Sprint("what is seen of ", user), func() bool { return p.sees(n, user, want) })
					}
				}
			},
		})
	})
}

var nilIsEmpty = cmp.Transformer("nil", func(d []cluster.Device) []string {
	var out []string
	for _, x := range d {
		out = append(out, fmt.Sprintf("%+v", x))
	}
	return out
})

var someOpen = []cluster.Open{
	{ID: "c1", At: 1, Session: "s1", User: "al", Device: "phone", IP: "10.0.0.1", Port: 7, Trace: "t", Span: "p"},
	{ID: "c2", At: 2, User: "bo"},
	{ID: "c3", At: 3, User: "cy"},
}

// died makes a node with a lease, connections and presence, and kills it.
func (p *party) died(name string, ttl time.Duration) {
	p.t.Helper()
	n := p.start(name, "boot1")
	ctx := context.Background()
	renewed(p.t, n, ttl)
	ok(p.t, n.Opened(ctx, someOpen))
	ok(p.t, n.Closed(ctx, []string{"c2", "never there"}))
	ok(p.t, n.Enter(ctx, "al", cluster.Device{Connection: "c1"}))
	p.kill(n)
}

func wantDead(t *testing.T, dead []cluster.Dead) cluster.Dead {
	t.Helper()
	if len(dead) != 1 || dead[0].Node != "b" || dead[0].Boot != "boot1" {
		t.Fatalf("dead are %+v", dead)
	}
	if diff := cmp.Diff([]cluster.Open{someOpen[0], someOpen[2]}, dead[0].Open); diff != "" {
		t.Fatalf("its connections (-want +got):\n%s", diff)
	}
	return dead[0]
}

func testLeases(t *testing.T, f Factory) {
	t.Helper()
	needsAdvance(t, f)
	p := newParty(t, f, smallKeep, "a", "c")
	defer p.end()
	a, c := p.nodes[0], p.nodes[1]
	renew := func() {
		t.Helper()
		renewed(t, a, lease)
		renewed(t, c, lease)
	}
	renew()
	ok(t, a.Watch(t.Context(), "al"))
	began := p.now()
	p.died("b", lease)
	a.await(t, "al is there", func() bool { return slices.Equal(a.seen["al"], []bool{true}) })
	p.Advance(lease - time.Second)
	renew()
	if dead := must[[]cluster.Dead](t)(a.Reap(t.Context())); len(dead) != 0 {
		t.Fatalf("dead before their time: %+v", dead)
	}
	if d := must[[]cluster.Device](t)(a.Devices(t.Context(), "al")); len(d) != 1 {
		t.Errorf("within the lease al has %+v", d)
	}
	p.Advance(2 * time.Second)
	renew()
	if d := must[[]cluster.Device](t)(a.Devices(t.Context(), "al")); len(d) != 0 {
		t.Errorf("after the lease al has %+v", d)
	}
	if dead := must[[]cluster.Dead](t)(p.start("e", "boot1").Reap(t.Context())); len(dead) != 0 {
		t.Fatalf("a node without a lease got %+v", dead)
	}
	d := wantDead(t, must[[]cluster.Dead](t)(a.Reap(t.Context())))
	if off := d.Until.Sub(began.Add(lease)).Abs(); off > time.Second {
		t.Errorf("its lease ended %v, %v off", d.Until, off)
	}
	if dead := must[[]cluster.Dead](t)(c.Reap(t.Context())); len(dead) != 0 {
		t.Fatalf("a second reaper got %+v", dead)
	}
	for range 2 {
		p.Advance(cluster.ClaimTime/2 + time.Second)
		renew()
	}
	d = wantDead(t, must[[]cluster.Dead](t)(c.Reap(t.Context())))
	ok(t, c.Buried(t.Context(), d))
	a.await(t, "al has gone", func() bool { return slices.Equal(a.seen["al"], []bool{true, false}) })
	if err := c.Buried(t.Context(), d); !errors.Is(err, cluster.ErrUnknown) {
		t.Errorf("buried twice: %v", err)
	}
	for range 2 {
		p.Advance(cluster.ClaimTime/2 + time.Second)
		renew()
	}
	if dead := must[[]cluster.Dead](t)(a.Reap(t.Context())); len(dead) != 0 {
		t.Fatalf("dead again: %+v", dead)
	}
}

// testOneReaper works with the wall clock too.
func testOneReaper(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a", "c", "d")
	defer p.end()
	const ttl = 2 * time.Second
	p.died("b", ttl)
	var mu sync.Mutex
	var all []cluster.Dead
	limit := time.Now().Add(30 * time.Second)
	for len(all) == 0 && time.Now().Before(limit) {
		if p.Advance != nil {
			p.Advance(ttl / 2)
		}
		var work sync.WaitGroup
		for _, n := range p.nodes {
			renewed(t, n, ttl)
		}
		for _, n := range p.nodes {
			work.Go(func() {
				dead, err := n.Reap(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, dead...)
			})
		}
		work.Wait()
	}
	ok(t, p.nodes[1].Buried(t.Context(), wantDead(t, all)))
	if d := must[[]cluster.Device](t)(p.nodes[0].Devices(t.Context(), "al")); len(d) != 0 {
		t.Errorf("of the buried there is still %+v", d)
	}
}

// testBuriedAlive takes a node for dead that lives.
func testBuriedAlive(t *testing.T, f Factory) {
	t.Helper()
	needsAdvance(t, f)
	for _, buried := range []bool{false, true} {
		p := newParty(t, f, smallKeep, "a", "b")
		a, b := p.nodes[0], p.nodes[1]
		renewed(t, a, lease)
		renewed(t, b, lease)
		ok(t, b.Opened(t.Context(), someOpen))
		ok(t, b.Enter(t.Context(), "al", cluster.Device{Connection: "c1"}))
		p.Advance(lease + time.Second)
		renewed(t, a, lease)
		dead := must[[]cluster.Dead](t)(a.Reap(t.Context()))
		if len(dead) != 1 || len(dead[0].Open) != 3 {
			t.Fatalf("dead are %+v", dead)
		}
		ok(t, b.Opened(t.Context(), []cluster.Open{{ID: "c4", At: 4}})) // of which the reaper knows nothing
		if buried {
			ok(t, a.Buried(t.Context(), dead[0]))
		}
		l := must[cluster.Lease](t)(b.Renew(t.Context(), lease))
		if l.Buried == nil {
			t.Fatal("it is not told that it was taken for dead")
		}
		if diff := cmp.Diff(&dead[0], l.Buried); diff != "" {
			t.Errorf("it is told (-reaper +node):\n%s", diff)
		}
		renewed(t, b, lease)
		if err := a.Buried(t.Context(), dead[0]); !errors.Is(err, cluster.ErrUnknown) {
			t.Errorf("one that has come back was buried: %v", err)
		}
		if d := must[[]cluster.Device](t)(a.Devices(t.Context(), "al")); len(d) != 0 {
			t.Errorf("it began anew with %+v", d)
		}
		ok(t, b.Enter(t.Context(), "al", cluster.Device{Connection: "c9"}))
		if d := must[[]cluster.Device](t)(a.Devices(t.Context(), "al")); len(d) != 1 || d[0].Connection != "c9" {
			t.Errorf("entered anew: %+v", d)
		}
		p.end()
	}
}

func testRetire(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a", "b")
	defer p.end()
	a, b := p.nodes[0], p.nodes[1]
	renewed(t, a, time.Hour)
	ok(t, a.Watch(t.Context(), "al"))
	renewed(t, b, lease)
	ok(t, b.Opened(t.Context(), someOpen))
	ok(t, b.Enter(t.Context(), "al", cluster.Device{Connection: "c1"}))
	ok(t, b.Retire(t.Context()))
	a.await(t, "al has come and gone", func() bool { return slices.Equal(a.seen["al"], []bool{true, false}) })
	if d := must[[]cluster.Device](t)(a.Devices(t.Context(), "al")); len(d) != 0 {
		t.Errorf("of the retired there is still %+v", d)
	}
	if p.Advance != nil {
		p.Advance(lease + time.Second)
		renewed(t, a, lease)
		if dead := must[[]cluster.Dead](t)(a.Reap(t.Context())); len(dead) != 0 {
			t.Errorf("the retired is dead: %+v", dead)
		}
	}
	renewed(t, b, lease) // it changes its mind
}

// renewed holds a lease of a node that nobody took for dead.
func renewed(t tb, n *node, ttl time.Duration) {
	t.Helper()
	l, err := n.Renew(context.Background(), ttl)
	ok(t, err)
	if l.Buried != nil {
		t.Fatalf("%s was taken for dead: %+v", n.name, *l.Buried)
	}
}

// testSucceed lets a node start again before its lease has run out, and after.
func testSucceed(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a")
	defer p.end()
	a := p.nodes[0]
	renewed(t, a, time.Hour)
	if _, err := a.Succeed(t.Context(), "b", "boot1"); !errors.Is(err, cluster.ErrUnknown) {
		t.Errorf("a start that never was: %v", err)
	}
	before := p.now().Truncate(time.Millisecond)
	p.died("b", time.Hour)
	b := p.start("b", "boot2")
	d := wantDead(t, []cluster.Dead{must[cluster.Dead](t)(b.Succeed(t.Context(), "b", "boot1"))})
	if d.Until.Before(before) || d.Until.After(p.now().Add(time.Second)) {
		t.Errorf("its lease ended at %v, it is %v", d.Until, p.now())
	}
	if dead := must[[]cluster.Dead](t)(a.Reap(t.Context())); len(dead) != 0 {
		t.Errorf("another reaper got %+v", dead)
	}
	// A second try, and one after it was buried, give the same end.
	for _, bury := range []bool{true, false} {
		if again := must[cluster.Dead](t)(b.Succeed(t.Context(), "b", "boot1")); !again.Until.Equal(d.Until) {
			t.Errorf("its lease ended at %v and %v", d.Until, again.Until)
		}
		if bury {
			ok(t, b.Buried(t.Context(), d))
		}
	}
	if d := must[[]cluster.Device](t)(a.Devices(t.Context(), "al")); len(d) != 0 {
		t.Errorf("of the buried there is still %+v", d)
	}
}
