package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"imwatch/event"

	"github.com/google/go-cmp/cmp"
)

func sampleAlert() *event.Alert {
	start := time.Date(2026, 11, 21, 10, 0, 57, 0, time.UTC)
	return &event.Alert{
		Time: start.Add(time.Minute), TimeText: "2026-11-21T10:01:57Z", ID: "0123abcd", State: event.StateResolved,
		RuleID: "handshake-failures-by-ip", RuleName: "Handshake failures from one address", Status: "enabled", Severity: "high",
		Key:   []event.KeyPart{{Field: "user.id", Value: "u<1>"}, {Field: "client.ip", Value: "192.0.2.1"}},
		Value: 21, Limit: "> 20", Window: "1m", From: start, To: start.Add(time.Minute), FirstEvent: "im-1-b-0000000021",
		EvidenceIDs: []string{"im-1-b-0000000001"}, Top: map[string][]event.TopValue{"event.reason": {{Value: "token_expired", Count: 21}}},
		Labels: map[string]string{"team": "im"}, Annotations: map[string]string{"summary": "21 failed handshakes", "runbook": "docs/runbooks/x.md"},
	}
}

func TestAlertLine(t *testing.T) {
	a := sampleAlert()
	line, err := a.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/alert.golden.json", append(line, '\n'))
	var back event.Alert
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, &back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	var asEvent event.Event
	if err := event.Decode(line, &asEvent); err != nil {
		t.Errorf("an alert line must decode as an event: %v", err)
	}
	if n := len(asEvent.Extras()); n != 1 { // labels.team
		t.Errorf("the contract does not know %+v", asEvent.Extras())
	}
}

func TestAlertFaults(t *testing.T) {
	for _, line := range []string{
		`{}`, `[]`, `{"@timestamp":"x","rule":{"id":"r"},"im":{"alert":{"id":"a","state":"firing"}}}`,
		`{"@timestamp":"2026-11-21T10:00:00Z","rule":{"id":"r"},"im":{"alert":{"id":"a","state":"firing","from":"2026-11-21T10:00:00Z","key":{"a":1}}}}`,
	} {
		var a event.Alert
		if err := json.Unmarshal([]byte(line), &a); err == nil {
			t.Errorf("%s was taken", line)
		}
	}
}
