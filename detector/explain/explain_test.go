package explain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"imwatch/detector/backtest"
	"imwatch/detector/explain"
	"imwatch/detector/rule"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const failures = `
id: failures
title: Failures
severity: high
where: 'event.action: handshake_failure and not event.reason: draining'
group_by: [client.ip]
detect: {threshold: {count: "> 2", window: 10s}}
for: 2s
resolve: {after: 5s}
`

func failuresRule(t *testing.T) *rule.Rule {
	t.Helper()
	rules, findings := rule.Parse("test.yaml", []byte(failures))
	if len(rules) != 1 || rule.HasErrors(findings) {
		t.Fatal(findings)
	}
	return rules[0]
}

func at(second float64) time.Time {
	return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(second * float64(time.Second)))
}

func line(second float64, id, action, rest string) string {
	return fmt.Sprintf(`{"@timestamp":%q,"event":{"id":%q,"action":%q%s},"client":{"ip":"192.0.2.1"},"service":{"node":{"name":"n1"}}}`+"\n",
		event.FormatTime(at(second)), id, action, rest)
}

func request(r *rule.Rule, second float64) explain.Request {
	return explain.Request{Rule: r, At: at(second), Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}}}
}

// lines has three failures that hold from the third second on, and what fails a part of the condition each.
func lines() string {
	return line(1, "a", "handshake_failure", "") + line(2, "b", "handshake_failure", "") + line(2.5, "x", "connect", "") +
		line(2.6, "y", "handshake_failure", `,"reason":"draining"`) + line(3, "c", "handshake_failure", "") +
		line(9, "far", "heartbeat", "") + line(0.5, "late", "handshake_failure", "") + line(40, "z", "heartbeat", "")
}

func TestExplain(t *testing.T) {
	t.Parallel()
	r := failuresRule(t)
	for name, c := range map[string]struct {
		second  float64
		verdict string
		why     string
		history int
		events  string
		near    string
	}{
		"before all": {0, explain.Quiet, "it does not fire: there is no event of this key", 0, "", ""},
		"too few": {
			2.9, explain.Quiet, "it does not fire: value 2, limit > 2 within 10s: just at the limit, which must be passed; 1 events of the key came late and were not counted",
			0, "a b", "x:event.action: handshake_failure<connect> y:not event.reason: draining<draining>",
		},
		"pending": {
			4, explain.Pending, "not yet: the condition holds since 2026-11-21T10:00:03.000Z (value 3, limit > 2 within 10s), but must hold for 2s, until 2026-11-21T10:00:05.000Z",
			0, "a b c", "x:event.action: handshake_failure<connect> y:not event.reason: draining<draining>",
		},
		"firing": {5, explain.Firing, "it fires since 2026-11-21T10:00:03.000Z: value 3, limit > 2 within 10s", 1, "a b c", "x:event.action: handshake_failure<connect> y:not event.reason: draining<draining>"},
		"ceased": {
			11.5, explain.Ceased, "an alert is open since 2026-11-21T10:00:03.000Z; its condition no longer holds (value 2, limit > 2 within 10s), and it is resolved at 2026-11-21T10:00:16.000Z unless it holds again",
			1, "b c", "x:event.action: handshake_failure<connect> y:not event.reason: draining<draining> far:event.action: handshake_failure<heartbeat>",
		},
		"resolved": {
			16, explain.Quiet, "it does not fire: no event counts; 1 of the key are near, and each fails a part of the rule's conditions; 1 events of the key came late and were not counted; the last alert was resolved at 2026-11-21T10:00:16.000Z",
			2, "", "far:event.action: handshake_failure<heartbeat>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := explain.File(context.Background(), strings.NewReader(lines()), "x.jsonl", request(r, c.second))
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != c.verdict || len(got.History) != c.history {
				t.Errorf("verdict %s, %d state changes, want %s, %d", got.Verdict, len(got.History), c.verdict, c.history)
			}
			var events, near []string
			for _, e := range got.Events {
				events = append(events, e.ID)
			}
			for _, e := range got.Near {
				text := e.ID
				for _, f := range e.Fails {
					text += ":" + f.KQL + "<" + f.Found + ">"
				}
				near = append(near, text)
			}
			if diff := cmp.Diff([]string{c.why, c.events, c.near}, []string{got.Why, strings.Join(events, " "), strings.Join(near, " ")}); diff != "" {
				t.Error(diff)
			}
			var text bytes.Buffer
			if err := got.WriteText(&text); err != nil || !strings.Contains(text.String(), c.why) {
				t.Errorf("%v in\n%s", err, text.String())
			}
			if b, err := json.Marshal(got); err != nil || !json.Valid(b) || !bytes.Contains(b, []byte(`"verdict":"`+c.verdict)) {
				t.Errorf("%s: %v", b, err)
			}
		})
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	t.Parallel()
	r := failuresRule(t)
	for _, key := range [][]event.KeyPart{nil, {{Field: "user.id", Value: "u"}}, {{Field: "client.ip", Value: "x"}, {Field: "user.id", Value: "u"}}} {
		_, err := explain.File(context.Background(), strings.NewReader(""), "x", explain.Request{Rule: r, At: at(0), Key: key})
		if !errors.Is(err, explain.ErrKey) || !strings.Contains(err.Error(), "client.ip") {
			t.Errorf("%v: %v", key, err)
		}
	}
}

// What a file says, the topic and the store say as well; the store has no late events.
func TestSources(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := membus.New()
	defer b.Close()
	if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: bus.TopicLifecycle, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	var events []*event.Event
	for l := range strings.Lines(lines()) {
		if strings.Contains(l, `"late"`) {
			continue
		}
		ev := &event.Event{}
		if err := event.Decode([]byte(l), ev); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
		if err := b.Produce(ctx, bus.TopicLifecycle, bus.Message{Key: []byte(ev.Key()), Value: []byte(l)}); err != nil {
			t.Fatal(err)
		}
	}
	reader := backtest.NewMemory(events)
	q := request(failuresRule(t), 11.5)
	topic, err := explain.Topic(ctx, b, bus.TopicLifecycle, q)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := explain.Store(ctx, reader, q)
	if err != nil {
		t.Fatal(err)
	}
	topic.Source = stored.Source
	indented := func(r *explain.Report) string {
		b, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff(indented(topic), indented(stored)); diff != "" || stored.Verdict != explain.Ceased {
		t.Errorf("topic and store differ:\n%s", diff)
	}
}

func TestAnEventStoredLateIsMarked(t *testing.T) {
	t.Parallel()
	ev := &event.Event{}
	l := strings.Replace(line(1, "a", "handshake_failure", ""), `"action"`, `"ingested":"2026-11-21T10:00:31.000Z","action"`, 1)
	if err := event.Decode([]byte(l), ev); err != nil {
		t.Fatal(err)
	}
	got, err := explain.Store(context.Background(), backtest.NewMemory([]*event.Event{ev}), request(failuresRule(t), 2))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"event a was stored 30s after it happened; the stream waits 2s, so it may have left it out as late"}
	if diff := cmp.Diff(want, got.Notes); diff != "" {
		t.Error(diff)
	}
}

// An event outside the rule's calendar is near, and says so: 21 November 2026 is a Saturday.
func TestCalendar(t *testing.T) {
	t.Parallel()
	rules, findings := rule.Parse("test.yaml", []byte(failures+"when: {calendar: office-hours}\n"))
	if len(rules) != 1 {
		t.Fatal(findings)
	}
	got, err := explain.File(context.Background(), strings.NewReader(lines()), "x", request(rules[0], 5))
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != explain.Quiet || len(got.Events) != 0 || got.Settings.When != "inside the hours of the calendar office-hours" {
		t.Errorf("%s, %d events, when %q", got.Why, len(got.Events), got.Settings.When)
	}
	if f := got.Near[0].Fails; len(f) != 1 || f[0].KQL != "when: inside the hours of the calendar office-hours" || f[0].Found != "2026-11-21T10:00:01.000Z" {
		t.Errorf("found %v", got.Near)
	}
}
