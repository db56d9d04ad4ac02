package imserver

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"imwatch/event"
	"imwatch/im-server/protocol"
)

// sharing starts a node that shares a Redis with others.
func sharing(t *testing.T, server *miniredis.Miniredis, node string) *fixture {
	t.Helper()
	return sharingWith(t, server, node, Deps{})
}

func sharingWith(t *testing.T, server *miniredis.Miniredis, node string, deps Deps) *fixture {
	t.Helper()
	cfg := testConfig(t)
	cfg.Node = node
	cfg.Redis.Addrs, cfg.Redis.Journal = []string{server.Addr()}, filepath.Join(t.TempDir(), "journal")
	cfg.Redis.Timeout, cfg.Redis.Ping = 2*time.Second, 20*time.Millisecond
	cfg.Sessions.AckTimeout = time.Hour // nothing is sent again by itself, however slow the machine is
	return serve(t, cfg, deps)
}

func (c *client) join(room string) {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"v":1,"type":"subscribe","id":"sub-%s","payload":{"room":%q}}`, room, room))
	c.until("the room's ack", func(e protocol.Envelope) bool {
		a, ok := e.Payload.(*protocol.Ack)
		return ok && a.Ref == "sub-"+room
	})
}

// say publishes and gives the ack.
func (c *client) say(id, where string) *protocol.Ack {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"v":1,"type":"publish","id":%q,"payload":{%s,"body":"hello"}}`, id, where))
	var ack *protocol.Ack
	c.until("the ack of "+id, func(e protocol.Envelope) bool {
		a, ok := e.Payload.(*protocol.Ack)
		if ok && a.Ref == id {
			ack = a
		}
		return ack != nil
	})
	return ack
}

func (c *client) hears(id string) {
	c.t.Helper()
	c.until("message "+id, func(e protocol.Envelope) bool { return e.Type == protocol.TypeMessage && e.ID == id })
}

// until passes over what is something else.
func (c *client) until(what string, match func(protocol.Envelope) bool) {
	c.t.Helper()
	for {
		e := c.next()
		if p, ok := e.Payload.(*protocol.Error); ok {
			c.t.Fatalf("waiting for %s: %+v", what, *p)
		}
		if match(e) {
			return
		}
	}
}

func TestNodesShareThroughRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	one, two := sharing(t, server, "one"), sharing(t, server, "two")
	al, bo := one.dial("al"), two.dial("bo")
	al.join("r")
	bo.join("r")
	if ack := al.say("1", `"room":"r"`); ack.Unstored {
		t.Errorf("%+v", ack)
	}
	bo.hears("1")
	bo.say("2", `"to":"al"`)
	al.hears("2")
	al.say("3", `"to":"cy"`) // who is not there
	cy := two.dial("cy")
	cy.hears("3")
	// bo's connection is lost, and it goes on at the other node.
	lost := bo.hello
	for { // the other node has heard of the session
		if _, err := one.cluster.LoadSession(t.Context(), lost.SessionID); err == nil {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the session was never saved")
		}
	}
	_ = bo.tcp().SetLinger(0)
	_ = bo.Close()
	al.say("4", `"room":"r"`)
	bo = one.dialWith("bo", nil, fmt.Sprintf("?session_id=%s&epoch=%s&seq=%d", lost.SessionID, lost.Epoch, 1))
	if !bo.hello.Resumed {
		t.Fatalf("not resumed: %+v", bo.hello)
	}
	bo.hears("4")
}

func TestANodeServesWithoutRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	one, two := sharing(t, server, "one"), sharing(t, server, "two")
	al, far := one.dial("al"), two.dial("far")
	al.join("r")
	far.join("r")
	far.join("other")
	far.say("before", `"room":"other"`)
	server.Close()
	for _, f := range []*fixture{one, two} {
		ev := f.log.action(t, event.ActionDependencyDown)
		want(t, ev, map[event.FieldID]string{event.FieldServiceTargetName: "redis", event.FieldEventReason: "open"})
	}
	bo := one.dial("bo") // comes while Redis is lost
	bo.join("r")
	if ack := al.say("1", `"room":"r"`); !ack.Unstored {
		t.Errorf("stored without Redis: %+v", ack)
	}
	bo.hears("1")
	bo.say("2", `"to":"al"`)
	al.hears("2")
	bo.join("other") // which nobody here has followed
	far.say("meanwhile", `"room":"other"`)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*fixture{one, two} {
		f.log.action(t, event.ActionDependencyUp)
	}
	far.hears("1")
	bo.until("what was said elsewhere", func(e protocol.Envelope) bool {
		if e.ID == "before" {
			t.Error("a message came that was published before the room was joined")
		}
		return e.ID == "meanwhile"
	})
	far.say("3", `"room":"r"`)
	// What comes now comes once, and what came while Redis was lost does not come again.
	for _, c := range []*client{al, bo} {
		var ids []string
		c.until("message 3", func(e protocol.Envelope) bool {
			if e.Type == protocol.TypeMessage {
				ids = append(ids, e.ID)
			}
			return e.Type == protocol.TypeMessage && e.ID == "3"
		})
		if len(ids) != 1 {
			t.Errorf("%s was given %v", c.hello.ConnectionID, ids)
		}
	}
}
