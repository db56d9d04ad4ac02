package imserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"imwatch/event"
	"imwatch/im-server/cluster"
	"imwatch/im-server/cluster/redis"
	"imwatch/im-server/protocol"
)

// inbox reads messages until it has n more, and gives their ids.
func (c *client) inbox(n int, seq *int64) (ids []string) {
	c.t.Helper()
	for len(ids) < n {
		if e := c.next(); e.Type == protocol.TypeMessage {
			ids, *seq = append(ids, e.ID), e.Seq
		} else if e.Type == protocol.TypeGap {
			c.t.Fatalf("told of a gap: %+v", e.Payload)
		}
	}
	return ids
}

// TestInboxOutlivesConnections: a client that loses its connection again and again while it is given what waited for it,
// and goes on at this node or that, is given all of it.
func TestInboxOutlivesConnections(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	nodes := []*fixture{sharing(t, server, "one"), sharing(t, server, "two")}
	al := nodes[0].dial("al")
	const all = 650
	for i := range all {
		al.say(fmt.Sprintf("m-%d", i), `"to":"bo"`)
	}
	bo := nodes[0].dial("bo")
	saved := func() bool {
		_, err := nodes[1].cluster.LoadSession(t.Context(), bo.hello.SessionID)
		return err == nil
	}
	for !saved() {
		if t.Context().Err() != nil {
			t.Fatal("the session was never saved")
		}
	}
	var (
		got []string
		seq int64
	)
	for turn := range 5 {
		got = append(got, bo.inbox(7, &seq)...)
		hello := bo.hello
		_ = bo.tcp().SetLinger(0)
		_ = bo.Close()
		bo = nodes[turn%2].dialWith("bo", nil, fmt.Sprintf("?session_id=%s&epoch=%s&seq=%d", hello.SessionID, hello.Epoch, seq))
		if !bo.hello.Resumed {
			t.Fatalf("turn %d: not resumed: %+v", turn, bo.hello)
		}
	}
	for seen := map[string]bool{}; len(seen) < all; {
		got = append(got, bo.inbox(1, &seq)...)
		clear(seen)
		for _, id := range got {
			seen[id] = true
		}
	}
	first := slices.IndexFunc(got, func(id string) bool { return id == fmt.Sprintf("m-%d", all-1) })
	seen, want := map[string]bool{}, 0
	for _, id := range got[:first+1] {
		if !seen[id] && id != fmt.Sprintf("m-%d", want) {
			t.Fatalf("%s came where m-%d was due", id, want)
		} else if !seen[id] {
			want++
		}
		seen[id] = true
	}
}

// TestInboxWaitsForRedis: what waited for a user is not lost to one who comes while nobody can read it.
func TestInboxWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	one := sharing(t, server, "one")
	al := one.dial("al")
	al.say("before", `"to":"bo"`)
	server.Close()
	one.log.action(t, event.ActionDependencyDown)
	bo := one.dial("bo")
	al.say("meanwhile", `"to":"bo"`)
	bo.hears("meanwhile") // service goes on
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	bo.hears("before")
}

// TestGapsWaitForAConnection: what is lost to a session without a connection is told to its next one, before all else.
func TestGapsWaitForAConnection(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	bo := f.dial("bo")
	bo.join("r")
	_ = bo.tcp().SetLinger(0)
	_ = bo.Close()
	f.end(bo)
	x := f.sessions.get(bo.hello.SessionID)
	for x.connection() != nil {
		if t.Context().Err() != nil {
			t.Fatal("the session kept its connection")
		}
	}
	a := f.topics.of(cluster.Room + "r")
	for _, n := range []int64{2, 3} {
		a.mu.Lock()
		a.missed(n)
		a.mu.Unlock()
	}
	bo = f.dialWith("bo", nil, fmt.Sprintf("?session_id=%s&epoch=%s&seq=0", bo.hello.SessionID, bo.hello.Epoch))
	gap, ok := bo.next().Payload.(*protocol.Gap)
	if !ok || gap.Missed != 5 || gap.Room != "r" {
		t.Errorf("told %+v", gap)
	}
	want(t, f.log.action(t, event.ActionTopicGap), map[event.FieldID]string{event.FieldRoomID: "r", event.FieldSampleWeight: "5"})
}

// TestDeadNodesConnectionsAreEnded: a node that dies leaves its connections to another, which ends them in the log as of
// the end of the lease, once.
func TestDeadNodesConnectionsAreEnded(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	var ahead atomic.Int64 // seconds
	one := sharingWith(t, server, "one", Deps{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) }})
	cfg := one.conf().Redis
	cfg.Journal = ""
	ghost, err := redis.New(cfg, cluster.Options{Node: "ghost", Boot: "b-1", Keep: one.conf().Sessions.Keep}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ghost.Bind(receiver{one.Server})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ghost.Run(ctx) }()
	at := time.Now().Add(-time.Minute)
	open := cluster.Open{ID: "c-1", At: at.UnixNano(), Session: "s-1", User: "bo", Device: "d-1", IP: "192.0.2.7", Port: 99, Trace: strings.Repeat("1", 32), Span: strings.Repeat("2", 16)}
	_, err = ghost.Renew(ctx, time.Millisecond)
	if err := errors.Join(err, ghost.Opened(ctx, []cluster.Open{open})); err != nil {
		t.Fatal(err)
	}
	stop() // without having retired
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ahead.Store(11) // Redis has been there for as long as a lease lasts
	ends := func() []*event.Event { return one.log.all(event.ActionOrphaned) }
	for len(ends()) == 0 {
		one.reap(t.Context())
		if t.Context().Err() != nil {
			t.Fatal("nobody ended the connection")
		}
	}
	one.reap(t.Context())
	one.stop()
	list := ends()
	if len(list) != 1 {
		t.Fatalf("there are %d ends", len(list))
	}
	want(t, list[0], map[event.FieldID]string{
		event.FieldEventID: "orphaned-c-1", event.FieldConnID: "c-1", event.FieldSessionID: "s-1", event.FieldUserID: "bo",
		event.FieldConnNode: "ghost", event.FieldConnBoot: "b-1", event.FieldCloseReason: "orphaned",
	})
	if end := list[0].Time(); end.Before(at) || end.After(time.Now()) {
		t.Errorf("the end is at %v", end)
	}
}

// blind is a cluster in which no inbox can be read.
type blind struct{ *cluster.Memory }

func (blind) Inbox(context.Context, string, string) (string, int64, error) {
	return "", 0, errors.New("it cannot be read")
}

// TestInboxThatWasNeverRead: a session that began while its inbox could not be read is saved without a place in it, and so
// is what it was given meanwhile: another node asks for the place, rather than begin at the first message that is kept, or
// behind those that were missed.
func TestInboxThatWasNeverRead(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) { return blind{cluster.NewMemory(o)}, nil }})
	bo := f.dial("bo")
	x := f.sessions.get(bo.hello.SessionID)
	x.mu.Lock()
	h := f.newHandout(1)
	x.give(&delivery{Message: &cluster.Message{Topic: "u:bo", Epoch: "e", Offset: 7, ID: "7", From: "al", Body: []byte("1")}}, h)
	h.end()
	x.mu.Unlock()
	rec := x.record()
	if at, ok := rec.Positions["u:bo"]; ok {
		t.Errorf("it is saved at %d", at)
	}
	if w := f.restore(rec, ask{}).catch["u:bo"]; w == nil || !w.unknown {
		t.Errorf("restored as %+v", w)
	}
	rec.Positions["u:bo"], rec.Epochs["u:bo"] = 3, "e"
	if w := f.restore(rec, ask{}).catch["u:bo"]; w == nil || w.unknown || w.at != (position{"e", 3}) {
		t.Errorf("restored as %+v", w)
	}
}
