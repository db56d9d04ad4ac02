package clustertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"imwatch/im-server/cluster"
)

func testSessions(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a", "b")
	defer p.end()
	a, b := p.nodes[0], p.nodes[1]
	if _, err := b.LoadSession(t.Context(), "s1"); !errors.Is(err, cluster.ErrUnknown) {
		t.Errorf("a session that never was: %v", err)
	}
	s := &cluster.Session{
		ID: "s1", Epoch: "e", User: "al", Device: "phone", Node: "a", Boot: "boot1", Seq: 7, Acked: 5,
		Positions: map[string]int64{"u:al": 3}, Epochs: map[string]string{"u:al": "x"}, Rooms: []string{"1"},
		Detached: time.Date(2026, 11, 28, 1, 2, 3, 4000, time.UTC),
	}
	ok(t, a.SaveSession(t.Context(), s, time.Minute))
	want := s.Copy()
	s.Positions["u:al"], s.Rooms[0] = 9, "changed after it was saved"
	got := must[*cluster.Session](t)(b.LoadSession(t.Context(), "s1"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	got.Positions["u:al"], got.Node = 10, "b"
	if err := b.SaveSession(t.Context(), got, time.Minute); !errors.Is(err, cluster.ErrTaken) {
		t.Errorf("b saved what a holds: %v", err)
	}
	ok(t, b.TakeSession(t.Context(), got, time.Minute))
	ok(t, b.SaveSession(t.Context(), got, time.Minute))
	if err := a.SaveSession(t.Context(), want, time.Minute); !errors.Is(err, cluster.ErrTaken) {
		t.Errorf("a saved what b has taken: %v", err)
	}
	ok(t, a.DropSession(t.Context(), "s1"))
	if again := must[*cluster.Session](t)(a.LoadSession(t.Context(), "s1")); again.Positions["u:al"] != 10 {
		t.Errorf("saved anew: %+v", again)
	}
	for range 2 {
		ok(t, b.DropSession(t.Context(), "s1"))
	}
	if _, err := b.LoadSession(t.Context(), "s1"); !errors.Is(err, cluster.ErrUnknown) {
		t.Errorf("a session that was dropped: %v", err)
	}
}

func testSessionsEnd(t *testing.T, f Factory) {
	t.Helper()
	needsAdvance(t, f)
	p := newParty(t, f, smallKeep, "a")
	defer p.end()
	a := p.nodes[0]
	ok(t, a.SaveSession(t.Context(), &cluster.Session{ID: "s"}, time.Minute))
	p.Advance(59 * time.Second)
	must[*cluster.Session](t)(a.LoadSession(t.Context(), "s"))
	p.Advance(2 * time.Second)
	if _, err := a.LoadSession(t.Context(), "s"); !errors.Is(err, cluster.ErrUnknown) {
		t.Errorf("after its time: %v", err)
	}
}

func testInbox(t *testing.T, f Factory) {
	t.Helper()
	type place struct {
		Epoch  string
		Offset int64
	}
	check(t, f, smallKeep, []string{"a", "b"}, func(t *rapid.T, p *party) {
		places := map[string]place{} // by user and device; a device of "": the furthest
		devices := rapid.SampledFrom([]string{"phone", "*", "d", ""})
		users := rapid.SampledFrom([]string{"al", "bo"})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				user, device := users.Draw(t, "user"), devices.Draw(t, "device")
				to := place{rapid.SampledFrom([]string{"e", "f"}).Draw(t, "epoch"), rapid.Int64Range(0, 9).Draw(t, "offset")}
				ok(t, p.some(t).SetInbox(context.Background(), user, device, to.Epoch, to.Offset))
				for _, key := range []string{user + "/of " + device, user} {
					if was := places[key]; was.Epoch != to.Epoch || was.Offset < to.Offset {
						places[key] = to
					}
				}
			},
			"get": func(t *rapid.T) {
				user, device := users.Draw(t, "user"), devices.Draw(t, "device")
				epoch, offset, err := p.some(t).Inbox(context.Background(), user, device)
				ok(t, err)
				want, known := places[user+"/of "+device]
				if !known {
					want = places[user]
				}
				if got := (place{epoch, offset}); got != want {
					t.Fatalf("%s of %s is at %+v, not %+v", device, user, got, want)
				}
			},
		})
	})
}

func testCalls(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a", "b")
	defer p.end()
	a, b := p.nodes[0], p.nodes[1]
	renewed(t, b, time.Hour) // it is there
	b.ask = func(r []byte) ([]byte, error) {
		if string(r) == "no" {
			return nil, errTest
		}
		return append([]byte("re\n "), r...), nil
	}
	a.ask = func(r []byte) ([]byte, error) { return append([]byte("own "), r...), nil }
	for _, c := range []struct{ node, request, want string }{{"b", "x\ny", "re\n x\ny"}, {"b", "", "re\n "}, {"a", "x", "own x"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		got, err := a.Call(ctx, c.node, []byte(c.request))
		cancel()
		if err != nil || string(got) != c.want {
			t.Errorf("%s answers %q, %v, not %q", c.node, got, err, c.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := a.Call(ctx, "b", []byte("no")); err == nil || errors.Is(err, cluster.ErrNoReply) {
		t.Errorf("a refusal gave %v", err)
	}
	short, cancelShort := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelShort()
	if _, err := a.Call(short, "c", []byte("x")); !errors.Is(err, cluster.ErrNoReply) {
		t.Errorf("a node that never was gave %v", err)
	}
}

func testClosed(t *testing.T, f Factory) {
	t.Helper()
	p := newParty(t, f, smallKeep, "a")
	a := p.nodes[0]
	ok(t, a.Follow(t.Context(), "r:1"))
	must[cluster.Receipt](t)(a.Publish(t.Context(), cluster.Message{Topic: "r:1", From: "al", ID: "1", At: p.now().UnixMilli()}))
	p.end()
	for what, call := range map[string]func() error{
		"Publish": func() error { _, err := a.Publish(t.Context(), cluster.Message{Topic: "r:1"}); return err },
		"Read":    func() error { _, err := a.Read(t.Context(), "r:1", 0, 1); return err },
		"Follow":  func() error { return a.Follow(t.Context(), "r:2") },
		"Renew":   func() error { _, err := a.Renew(t.Context(), time.Second); return err },
		"Enter":   func() error { return a.Enter(t.Context(), "al", cluster.Device{}) },
	} {
		if err := call(); !errors.Is(err, cluster.ErrClosed) {
			t.Errorf("%s of what is closed: %v", what, err)
		}
	}
	if a.Ready() {
		t.Error(fmt.Sprint(a.name, " is ready, and closed"))
	}
}
