package imserver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// nodesOf starts nodes that share what one process keeps.
func nodesOf(t *testing.T, names ...string) (list []*fixture) {
	t.Helper()
	var first *cluster.Memory
	for _, name := range names {
		cfg := testConfig(t)
		cfg.Node = name
		list = append(list, serve(t, cfg, Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) {
			if first == nil {
				first = cluster.NewMemory(o)
				return first, nil
			}
			return first.Join(o.Node, o.Boot), nil
		}}))
	}
	return list
}

func (c *client) resuming(device string) string {
	return fmt.Sprintf("?session_id=%s&epoch=%s&seq=0&device_id=%s", c.hello.SessionID, c.hello.Epoch, device)
}

// TestAnotherDevicesSession: a device that has a copy of what another stores does not take its session while that one is
// connected, here or on another node; the device itself does.
func TestAnotherDevicesSession(t *testing.T) {
	t.Parallel()
	nodes := nodesOf(t, "one", "two")
	phone := nodes[0].dialWith("al", nil, "?device_id=phone")
	for _, f := range nodes {
		copied := f.dialWith("al", nil, phone.resuming("tablet"))
		if copied.hello.Resumed || copied.hello.ResumeReason != event.ResumeStillAttached {
			t.Errorf("on %s: %+v", f.node, copied.hello)
		}
		want(t, f.log.action(t, event.ActionResumeFailure), map[event.FieldID]string{event.FieldEventReason: "still_attached"})
	}
	phone.send(`{"v":1,"type":"ping","id":"p"}`)
	if e := phone.next(); e.Type != protocol.TypePong { // it is well
		t.Errorf("%+v", e)
	}
	again := nodes[1].dialWith("al", nil, phone.resuming("phone"))
	if !again.hello.Resumed {
		t.Errorf("not resumed: %+v", again.hello)
	}
	want(t, nodes[0].end(phone), map[event.FieldID]string{event.FieldCloseReason: "session_replaced"})
}

// TestSessionTakenFromASilentNode: a node that did not answer when its session was taken finds that out, does not write
// over the other's record, and ends what it still has of it.
func TestSessionTakenFromASilentNode(t *testing.T) {
	t.Parallel()
	nodes := nodesOf(t, "one", "two")
	one, two := nodes[0], nodes[1]
	phone := one.dialWith("al", nil, "?device_id=phone")
	x := one.sessions.get(phone.hello.SessionID)
	taken := x.record()
	taken.Node, taken.Boot, taken.Epoch = two.node, two.boot, "another"
	if err := two.cluster.TakeSession(t.Context(), taken, time.Hour); err != nil {
		t.Fatal(err)
	}
	one.sessions.touch(x)
	if ce := phone.closed(); ce.Code != event.CloseSessionReplaced.Code {
		t.Errorf("closed with %v", ce)
	}
	one.end(phone)
	one.endSession(x, true) // as when its time is over
	rec, err := two.cluster.LoadSession(t.Context(), x.id)
	if err != nil || rec.Node != "two" || rec.Epoch != "another" {
		t.Errorf("the record is %+v, %v", rec, err)
	}
}

// unanswered is a cluster on which no node answers another.
type unanswered struct{ cluster.Cluster }

func (unanswered) Call(context.Context, string, []byte) ([]byte, error) {
	return nil, cluster.ErrNoReply
}

// TestResumeWhereAnotherNodeTookTheSession: a node that did not answer when its session was taken gives the client the
// session that it has now, not the one that it had here.
func TestResumeWhereAnotherNodeTookTheSession(t *testing.T) {
	t.Parallel()
	var first *cluster.Memory
	node := func(name string) *fixture {
		cfg := testConfig(t)
		cfg.Node = name
		return serve(t, cfg, Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) {
			if first == nil {
				first = cluster.NewMemory(o)
				return unanswered{first}, nil
			}
			return unanswered{first.Join(o.Node, o.Boot)}, nil
		}})
	}
	one, two := node("one"), node("two")
	al := one.dial("al")
	for range 3 {
		for _, n := range []*fixture{two, one} {
			saved := func() bool {
				rec, err := first.LoadSession(t.Context(), al.hello.SessionID)
				return err == nil && rec.Epoch == al.hello.Epoch
			}
			for !saved() {
				if t.Context().Err() != nil {
					t.Fatal("the session was never saved")
				}
			}
			_ = al.Close()
			next := n.dialWith("al", nil, al.resuming(""))
			if !next.hello.Resumed || next.hello.SessionID != al.hello.SessionID {
				t.Fatalf("not resumed: %+v", next.hello)
			}
			al = next
		}
	}
}

// TestOlderConnectionTakesNothing: of two connections of one client that ask for its session at once, the one whose handshake
// began first is that which the client has given up. It must not end the other, however late it is heard.
func TestOlderConnectionTakesNothing(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	bo := f.dial("bo")
	x := f.sessions.get(bo.hello.SessionID)
	now := x.connection()
	ask := ask{session: x.id, epoch: x.epoch}
	for name, c := range map[string]struct {
		began int64
		late  bool
	}{"older": {now.began - 1, true}, "newer": {now.began + 1, false}} {
		other := &conn{s: f.Server, client: now.client, began: c.began}
		r := f.resumeHere(other, x, ask)
		if r.late != c.late || (r.x == nil) != c.late || (r.reason == event.ResumeStillAttached) != c.late {
			t.Errorf("%s: %+v", name, r)
		}
		x.mu.Lock()
		x.c, x.greet = now, false
		x.mu.Unlock()
	}
}
