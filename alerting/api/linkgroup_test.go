package api

import (
	"strings"
	"testing"
	"time"

	"imwatch/alerting/outbox"
	"imwatch/event"
)

// TestLinksOfAGroup act on what fires of the alerts that their receiver was told of in the group, and leave alone what is
// not told yet, is told in another group, or has somebody who looks after it.
func TestLinksOfAGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ledger := outbox.New(s.store)
	notify := func(a *event.Alert, group string, state outbox.State) {
		t.Helper()
		line, err := a.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		e := &outbox.Entry{
			At: s.now.Add(30 * time.Second), Receiver: "team", Channel: "wecom", Kind: "firing", Moment: a.Time, Alert: *a, Line: line, State: state,
			Group: group, GroupName: "rule=x", GroupMatch: []string{`rule = "x"`}, Interval: 5 * time.Minute,
		}
		if _, err := ledger.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	first, second := s.alert("a-1", "x", "firing", 0), s.alert("a-2", "x", "firing", 0)
	over, waiting, elsewhere := s.alert("a-3", "x", "resolved", 0), s.alert("a-4", "x", "firing", 0), s.alert("a-5", "x", "firing", 0)
	for _, a := range []*event.Alert{first, second, over} {
		notify(a, "g1", outbox.Sent)
	}
	notify(waiting, "g1", outbox.Pending)
	notify(elsewhere, "g2", outbox.Sent)
	notify(s.alert("a-6", "x", "resolved", 0), "g3", outbox.Sent)
	path := func(action, group string) string {
		return strings.TrimPrefix(s.cfg.Links().MakeGroup(action, group, "team", s.now), "https://watch.example.org")
	}
	ack, quiet := path(LinkAck, "g1"), path(LinkSilence, "g1")

	page := s.want(200, "", "GET", ack, "", "look after these 2")
	if strings.Count(page, "Rule x") != 2 || !strings.Contains(page, "<button>Acknowledge</button>") {
		t.Errorf("the page is %s", page)
	}
	if _, acked := s.desk.Acked(first); acked {
		t.Error("opening a link has acknowledged")
	}
	s.want(200, Responder, "POST", "/api/v1/alerts/a-2/ack", `{"for":"1h"}`, "")
	s.want(200, "", "POST", ack, "", "1 acknowledged until 2026-11-21T14:00:00Z")
	s.want(200, "", "POST", ack, "", "Somebody looks after all of them already")
	for a, want := range map[*event.Alert]string{first: "link to team", second: "responder-1", waiting: "", elsewhere: ""} {
		if k, _ := s.desk.Acked(a); k.By != want {
			t.Errorf("%s is acknowledged by %q, want %q", a.ID, k.By, want)
		}
	}
	s.want(200, Admin, "GET", "/api/v1/audit", "", `"by":"link to team"`)

	s.want(200, "", "GET", quiet, "", "All alerts with rule = &#34;x&#34; are not told for 1h0m0s")
	s.want(200, "", "POST", quiet, "", "Silenced until 2026-11-21T11:00:00Z")
	stranger, other := *waiting, *waiting
	stranger.Key, other.RuleID = nil, "y"
	if _, held := s.desk.Held(&stranger); !held {
		t.Error("an alert of the group is not silenced")
	}
	if _, held := s.desk.Held(&other); held {
		t.Error("another rule is silenced")
	}
	s.want(409, "", "POST", path(LinkAck, "g3"), "", "none of the alerts fires any more")
	s.want(404, "", "GET", path(LinkAck, "nobody"), "", "no such group")
	s.want(403, "", "POST", ack[:len(ack)-1], "", "no link of ours")
	s.now = s.now.Add(24 * time.Hour)
	s.want(403, "", "POST", ack, "", "has run out")
}
