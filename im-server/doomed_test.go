package imserver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// fumbling is a cluster in which following fails once.
type fumbling struct {
	*cluster.Memory
	done atomic.Bool
}

func (c *fumbling) Follow(ctx context.Context, topic string) error {
	if c.done.CompareAndSwap(false, true) {
		return errors.New("not now")
	}
	return c.Memory.Follow(ctx, topic)
}

// TestSessionThatFollowsNothingIsNotResumed: a session whose topics could not be followed is over before its client hears of
// that. A client that comes again while the connection is still being closed gets one that hears everything.
func TestSessionThatFollowsNothingIsNotResumed(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) {
		return &fumbling{Memory: cluster.NewMemory(o)}, nil
	}})
	lost := f.dial("bo") // and does not answer the close
	again := f.dialWith("bo", nil, lost.resuming(""))
	if again.hello.Resumed || again.hello.ResumeReason != event.ResumeUnknownSession {
		t.Fatalf("%+v", again.hello)
	}
	f.dial("al").say("1", `"to":"bo"`)
	again.hears("1")
	want(t, f.end(lost), map[event.FieldID]string{event.FieldCloseReason: event.CloseStateLost.Reason})
}

// TestSessionIsNotResumedWhileItEnds: whoever was kicked does not have the session again for being quicker than the close, here
// or on another node.
func TestSessionIsNotResumedWhileItEnds(t *testing.T) {
	t.Parallel()
	nodes := nodesOf(t, "one", "two")
	for _, at := range nodes {
		c := nodes[0].dial("bo")
		if n := nodes[0].Kick(t.Context(), "bo", "a test"); n != 1 {
			t.Fatalf("%d kicked", n)
		}
		again := at.dialWith("bo", nil, c.resuming(""))
		if again.hello.Resumed || again.hello.ResumeReason != event.ResumeUnknownSession {
			t.Errorf("on %s: %+v", at.node, again.hello)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		at.end(again)
		nodes[0].end(c)
	}
}
