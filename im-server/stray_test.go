package imserver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"imwatch/im-server/cluster"
	"imwatch/im-server/protocol"
)

// aloof is a cluster that is lost for a while, and whose messages come only when a test hands them out.
type aloof struct {
	*cluster.Memory
	lost atomic.Bool
}

var errAloof = errors.New("it is lost")

func (a *aloof) Ready() bool                          { return !a.lost.Load() }
func (a *aloof) Follow(context.Context, string) error { return nil }
func (a *aloof) Unfollow(string)                      {}

func (a *aloof) Read(ctx context.Context, topic string, after int64, limit int) (cluster.Page, error) {
	if a.lost.Load() {
		return cluster.Page{}, errAloof
	}
	return a.Memory.Read(ctx, topic, after, limit)
}

func (a *aloof) Inbox(ctx context.Context, user, device string) (string, int64, error) {
	if a.lost.Load() {
		return "", 0, errAloof
	}
	return a.Memory.Inbox(ctx, user, device)
}

// keep puts a message into the log as another node does.
func (a *aloof) keep(t *testing.T, topic, id string, at time.Time) *cluster.Message {
	t.Helper()
	r, err := a.Publish(t.Context(), cluster.Message{Topic: topic, ID: id, From: "al", At: at.UnixMilli(), Body: []byte(`"hello"`)})
	if err != nil {
		t.Fatal(err)
	}
	page, err := a.Memory.Read(t.Context(), topic, r.Offset-1, 1)
	if err != nil || len(page.Messages) != 1 {
		t.Fatal(page, err)
	}
	return &page.Messages[0]
}

func apart(t *testing.T) (*fixture, *aloof) {
	t.Helper()
	var a *aloof
	cfg := testConfig(t)
	cfg.Sessions.AckTimeout = time.Hour // nothing is sent again by itself
	f := serve(t, cfg, Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) {
		a = &aloof{Memory: cluster.NewMemory(o)}
		return a, nil
	}})
	return f, a
}

// then reads messages, which must be these.
func (c *client) then(ids ...string) {
	c.t.Helper()
	for _, id := range ids {
		c.until("message "+id, func(e protocol.Envelope) bool {
			if e.Type == protocol.TypeMessage && e.ID != id {
				c.t.Fatalf("%s came where %s was due", e.ID, id)
			}
			return e.Type == protocol.TypeMessage
		})
	}
}

// TestLateJournalIsNotPassedOver: a user comes while what the nodes share is lost, and has read the inbox when another node
// puts in what its journal holds: messages that are older than the user's coming, at places behind those that were read.
func TestLateJournalIsNotPassedOver(t *testing.T) {
	t.Parallel()
	f, a := apart(t)
	a.keep(t, "u:bo", "before", time.Now().Add(-time.Minute))
	taken := time.Now().Add(-time.Second)
	a.lost.Store(true)
	bo := f.dial("bo")
	a.lost.Store(false)
	bo.then("before")
	for x, reads := f.sessions.get(bo.hello.SessionID), true; reads; {
		x.mu.Lock()
		reads = x.catch != nil
		x.mu.Unlock()
		if t.Context().Err() != nil {
			t.Fatal("the inbox is read for ever")
		}
	}
	for _, id := range []string{"1", "2", "3"} {
		a.keep(t, "u:bo", id, taken)
	}
	receiver{f.Server}.Lost([]string{"u:bo"})
	bo.then("1", "2", "3")
}

// TestFirstMessageAfterALossLeavesNoHole: the first that comes to a room, entered while what the nodes share was lost, is
// not the first that was published since.
func TestFirstMessageAfterALossLeavesNoHole(t *testing.T) {
	t.Parallel()
	f, a := apart(t)
	a.keep(t, "r:r", "before", time.Now().Add(-time.Minute))
	a.lost.Store(true)
	bo := f.dial("bo")
	bo.join("r")
	a.lost.Store(false)
	a.keep(t, "r:r", "1", time.Now().Add(time.Second))
	receiver{f.Server}.Deliver(a.keep(t, "r:r", "2", time.Now().Add(time.Second)))
	bo.then("1", "2")
}

// TestPlaceBehindWhatWasGivenWithoutOne: a session that has not acknowledged a message, which it was given while what the
// nodes share was lost, does not stand behind that message when this has its place.
func TestPlaceBehindWhatWasGivenWithoutOne(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	bo := f.dial("bo")
	bo.join("r")
	x, a := f.sessions.get(bo.hello.SessionID), f.topics.of("r:r")
	m := cluster.Message{Topic: "r:r", From: "al", ID: "1", Body: []byte(`1`)}
	alone := m
	a.receive(f.Server, &delivery{Message: &alone})
	if at := x.record().Positions["r:r"]; at != 0 {
		t.Errorf("at %d before anything has a place", at)
	}
	m.Epoch, m.Offset, m.Again = "e", 1, true
	a.receive(f.Server, &delivery{Message: &m})
	if at := x.record().Positions["r:r"]; at != 0 {
		t.Errorf("at %d, but the client does not have that", at)
	}
	bo.hears("1")
	if err := x.ack(x.connection(), 1); err != nil {
		t.Fatal(err)
	}
	if at := x.record().Positions["r:r"]; at != 1 {
		t.Errorf("at %d when all is acknowledged", at)
	}
}
