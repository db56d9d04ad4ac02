package imserver

import (
	"context"
	"testing"

	"imwatch/event"
	"imwatch/im-server/cluster"
)

// joined is a cluster of one whose user has devices on another node too.
type joined struct {
	cluster.Cluster
	devices []cluster.Device
	call    func([]byte) ([]byte, error)
}

func (j *joined) Devices(context.Context, string) ([]cluster.Device, error) { return j.devices, nil }

func (j *joined) Call(_ context.Context, _ string, request []byte) ([]byte, error) {
	return j.call(request)
}

// TestKickReachesOtherNodes: all connections of a user end, wherever they are, and each line names who wanted it.
func TestKickReachesOtherNodes(t *testing.T) {
	t.Parallel()
	there := serve(t, testConfig(t), Deps{})
	away := there.dial("u-1")
	j := &joined{call: there.answer}
	cfg := testConfig(t)
	cfg.Node = "im-here"
	here := serve(t, cfg, Deps{NewCluster: func(o cluster.Options) (cluster.Cluster, error) {
		j.Cluster = cluster.NewMemory(o)
		return j, nil
	}})
	near := here.dial("u-1")
	j.devices = []cluster.Device{{Connection: near.hello.ConnectionID, Node: "im-here"}, {Connection: away.hello.ConnectionID, Node: "im-test"}}
	if n := here.Kick(t.Context(), "u-1", "alice"); n != 2 {
		t.Errorf("%d connections were ended", n)
	}
	for _, c := range []*client{near, away} {
		if ce := c.closed(); ce.Code != event.CloseKicked.Code {
			t.Errorf("closed with %v", ce)
		}
	}
	for _, f := range []*fixture{here, there} {
		if ev := f.log.action(t, event.ActionSessionKicked); label(ev, "actor") != "alice" {
			t.Errorf("%s", ev.AppendJSON(nil))
		}
	}
}
