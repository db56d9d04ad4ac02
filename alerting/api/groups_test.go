package api

import (
	"encoding/json"
	"testing"
	"time"

	"imwatch/alerting/outbox"

	"github.com/google/go-cmp/cmp"
)

// TestGroupsOfAnAlert: for whom it waits, with how many, and until when, the last message of the group considered.
func TestGroupsOfAnAlert(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ledger := outbox.New(s.store)
	entry := func(id, receiver, group string, due time.Duration, sent time.Duration) {
		a := s.alert(id, "x", "firing", 0)
		line, err := a.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		e := &outbox.Entry{
			At: s.now, Receiver: receiver, Channel: "email", Kind: "firing", Moment: a.Time, Alert: *a, Line: line, State: outbox.Pending,
		}
		if group != "" {
			e.Group, e.GroupName, e.Interval, e.Due = group, "rule=x", 5*time.Minute, s.now.Add(due)
		}
		if id == "a-6" {
			e.Held, e.Verdict = "silenced", "silenced"
		}
		if sent != 0 {
			e.State, e.SentAt = outbox.Sent, s.now.Add(sent)
		}
		if _, err := ledger.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	entry("a-1", "mail", "g1", 20*time.Second, 0)
	entry("a-2", "mail", "g1", 10*time.Second, 0)
	entry("a-1", "sms", "g2", 20*time.Second, 0)
	entry("a-3", "sms", "g2", 0, -time.Minute)   // told a minute ago: the next one is due four minutes from now
	entry("a-4", "mail", "g1", 0, -10*time.Hour) // long ago
	entry("a-6", "mail", "g1", -time.Hour, 0)    // silenced: it hurries nobody
	entry("a-1", "hook", "", 0, 0)
	entry("a-5", "mail", "g3", 5*time.Second, 0) // another group
	groups := func(id string) (v struct{ Groups []Group }) {
		if err := json.Unmarshal([]byte(s.want(200, Viewer, "GET", "/api/v1/alerts/"+id, "", `"notifications"`)), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := []Group{
		{"mail", "g1", "rule=x", s.now.Add(10 * time.Second), 3},
		{"sms", "g2", "rule=x", s.now.Add(4 * time.Minute), 1},
	}
	if diff := cmp.Diff(want, groups("a-1").Groups); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := groups("a-3").Groups; len(got) != 0 {
		t.Errorf("what was told waits in %+v", got)
	}
}
