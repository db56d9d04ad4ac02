package outbox

import (
	"encoding/json"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func entry(t *rapid.T) *Entry {
	at := func(name string) time.Time {
		if rapid.Bool().Draw(t, name+" set") {
			return time.Unix(0, rapid.Int64Range(1e18, 2e18).Draw(t, name)).UTC()
		}
		return time.Time{}
	}
	text := func(name string) string {
		return rapid.StringOf(rapid.RuneFrom([]rune("aβ告\"\\<>&\n "))).Draw(t, name)
	}
	a := event.Alert{
		Time: time.Unix(0, rapid.Int64Range(1e18, 2e18).Draw(t, "alert time")).UTC(), ID: "a-" + text("id"), State: event.StateFiring, RuleID: "r", RuleName: text("rule"),
		Status: "enabled", Severity: "high", Value: 1, Limit: "> 0", From: time.Unix(0, rapid.Int64Range(1e18, 2e18).Draw(t, "from")).UTC(),
		Labels: map[string]string{"team": text("label")},
	}
	line, err := json.Marshal(&a)
	if err != nil {
		t.Fatal(err)
	}
	e := &Entry{
		At: time.Unix(0, rapid.Int64Range(1e18, 2e18).Draw(t, "at")).UTC(), Receiver: text("receiver"), Channel: "wecom",
		Kind:   rapid.SampledFrom([]channel.Kind{channel.Firing, channel.Updated, channel.Resolved, channel.Repeat, channel.Escalated}).Draw(t, "kind"),
		Moment: a.Time, Alert: a, Line: line, Message: channel.Message{Title: text("title"), Body: text("body"), HTML: text("html")},
		Began: text("began"), Step: rapid.SampledFrom([]*Step{nil, {After: "10m", Regardless: true, OnCall: "lead", Person: "ann"}}).Draw(t, "step"),
		After: text("after"), FallbackOf: text("fallback"), State: rapid.SampledFrom([]State{Pending, Sent, Failed, Superseded}).Draw(t, "state"),
		Attempts: rapid.IntRange(0, 99).Draw(t, "attempts"), FirstTry: at("first"), LastTry: at("last"), RetryAt: at("retry"), SentAt: at("sent"),
		Verdict: text("verdict"), Answer: text("answer"), Took: rapid.SliceOfN(rapid.Just("x@example.org"), 0, 3).Draw(t, "took"),
		Held: text("held"), Windows: rapid.SliceOfN(rapid.Just("w@2026-11-28T14:00:00Z"), 0, 2).Draw(t, "windows"),
	}
	if e.Note = text("note"); rapid.Bool().Draw(t, "grouped") {
		e.Group, e.GroupName, e.GroupMatch, e.Due, e.Rose = "g"+text("group"), text("group name"), []string{"m" + text("match")}, at("due"), rapid.Bool().Draw(t, "rose")
		e.Interval = time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "interval"))
	}
	if rapid.Bool().Draw(t, "claimed") {
		e.Claim = Claim{"me", time.Unix(0, rapid.Int64Range(1e18, 2e18).Draw(t, "until")).UTC()}
	}
	if len(e.Took) == 0 {
		e.Took = nil
	}
	if len(e.Windows) == 0 {
		e.Windows = nil
	}
	return e
}

func TestDocumentKeepsTheEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := entry(t)
		body, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(want.Line, &want.Alert); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
		var e event.Event
		if err := event.Decode(body, &e); err != nil {
			t.Fatalf("stores read documents as events: %v", err)
		}
		if pending := e.Text(event.FieldEventOutcome) == "unknown"; pending != (want.State == Pending) || e.ID() != want.ID() || !e.Time().Equal(want.At) {
			t.Fatalf("%s", body)
		}
	})
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 0, 1, time.UTC)
	same := ID("a", channel.Firing, at, "ops")
	if same != ID("a", channel.Firing, at.Add(time.Hour), "ops") {
		t.Error("firing comes once in an alert's life, whatever the moment")
	}
	seen := map[string]string{same: "firing"}
	for name, id := range map[string]string{
		"another receiver": ID("a", channel.Firing, at, "boss"), "another alert": ID("b", channel.Firing, at, "ops"), "resolved": ID("a", channel.Resolved, at, "ops"),
		"updated": ID("a", channel.Updated, at, "ops"), "updated later": ID("a", channel.Updated, at.Add(time.Nanosecond), "ops"), "repeat": ID("a", channel.Repeat, at, "ops"),
		"shifted parts": ID("afiring", "", at, "ops"),
	} {
		if other, ok := seen[id]; ok {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[id] = name
	}
	if id := ID("a", channel.Updated, at, "ops"); id != ID("a", channel.Updated, at.In(time.FixedZone("CST", 8*3600)), "ops") {
		t.Error("the zone changes the id")
	}
}

func TestOrderWithinAnAlert(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	firing, up1, up2 := Ref{Kind: channel.Firing, Moment: at.Add(time.Hour)}, Ref{Kind: channel.Updated, Moment: at}, Ref{Kind: channel.Repeat, Moment: at.Add(1)}
	resolved := Ref{Kind: channel.Resolved, Moment: at.Add(-time.Hour)}
	list := []Ref{firing, up1, up2, resolved}
	for i := range list {
		for j := range list {
			if got := list[i].Before(list[j]); got != (i < j) {
				t.Errorf("%d before %d: %v", i, j, got)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"@timestamp":"2026-11-21T10:00:00Z","event":{"id":"x","original":"{}"},"im":{"notify":{"state":"pending"}}}`))
	f.Fuzz(func(_ *testing.T, body []byte) { _, _ = Decode(body) })
}
