package imserver

import (
	"testing"

	"imwatch/im-server/cluster"
)

// TestTheFirstMessageOfATopicIsMissed has the second message of a topic that was empty come first: the feed broke
// between.
func TestTheFirstMessageOfATopicIsMissed(t *testing.T) {
	t.Parallel()
	at := func(offset int64) *delivery {
		return &delivery{Message: &cluster.Message{Topic: "r:a", Epoch: "e", Offset: offset}}
	}
	f := serve(t, testConfig(t), Deps{})
	a := &audience{s: f.Server, topic: "r:a", known: true}
	if a.next(at(2)) {
		t.Fatal("the second message was taken for the first")
	}
	a.mending, a.held = true, []*delivery{at(2)}
	page := cluster.Page{Epoch: "e", First: 1, Last: 2, Messages: []cluster.Message{*at(1).Message, *at(2).Message}}
	if !a.fill(page, true) || a.mending || a.last != 2 || a.epoch != "e" {
		t.Errorf("after the page: %+v", a)
	}
	b := &audience{s: f.Server, topic: "r:a", known: true}
	if !b.next(at(1)) || b.epoch != "e" || b.last != 1 {
		t.Errorf("the first message left a hole: %+v", b)
	}
}

// TestNobodyIsPassedOverThatCameMeanwhile has a session come after a message was handed out without an offset, and before
// it has one.
func TestNobodyIsPassedOverThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	here, later := f.newSession("a", ""), f.newSession("b", "")
	a := &audience{s: f.Server, topic: "r:a", known: true, members: []*session{here}}
	m := cluster.Message{Topic: "r:a", From: "c", ID: "1", Body: []byte(`1`)}
	alone := m
	a.receive(f.Server, &delivery{Message: &alone})
	a.members = append(a.members, later)
	m.Epoch, m.Offset, m.Again = "e", 1, true
	a.receive(f.Server, &delivery{Message: &m})
	for name, x := range map[string]*session{"who was there": here, "who came later": later} {
		if n := x.unacked(); n != 1 {
			t.Errorf("%s has %d messages, want 1", name, n)
		}
		x.mu.Lock()
		f.metrics.delivery.settle(f.metrics.delivery.closed, len(x.ring.drop(x.seq)))
		x.mu.Unlock()
	}
	if a.alone != nil {
		t.Errorf("%d messages are still remembered", len(a.alone))
	}
}
