package outbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/event"
	"imwatch/internal/store/elastic"
	"imwatch/internal/store/sqlite"

	"github.com/sirupsen/logrus"
)

// TestGroupsOnRealStores: what waits of a group is found whoever wrote it, and when it was told last, with how many.
func TestGroupsOnRealStores(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	t.Run("embedded", func(t *testing.T) {
		s, err := sqlite.Open(sqlite.Config{Dir: t.TempDir(), MaxOpenFiles: 4}, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // of a folder that is deleted
		groups(t, s)
	})
	t.Run("Elasticsearch", func(t *testing.T) {
		address := os.Getenv("IMWATCH_TEST_ES")
		if address == "" {
			t.Skip("IMWATCH_TEST_ES is not set to the address of an Elasticsearch, such as http://127.0.0.1:9200")
		}
		cfg := elastic.DefaultConfig()
		cfg.Addresses, cfg.Replicas = []string{address}, 0
		s, err := elastic.New(cfg, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // nothing is under way
		if err := s.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		groups(t, s)
	})
}

func groups(t *testing.T, s outbox.Store) {
	t.Helper()
	ledger, now := outbox.New(s), time.Now().UTC().Truncate(time.Millisecond)
	run := fmt.Sprint("g", now.UnixNano(), "-") // a shared Elasticsearch keeps what others wrote
	n := 0
	add := func(group, severity string, sent time.Duration) *outbox.Entry {
		n++
		a := event.Alert{
			Time: now, ID: fmt.Sprint(run, n), State: event.StateFiring, RuleID: "r", Status: "enabled", Severity: severity, Limit: "> 0", From: now,
			Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}},
		}
		line, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		e := &outbox.Entry{
			At: now.Add(-time.Duration(n) * time.Second), Receiver: "ops", Channel: "email", Kind: channel.Firing, Moment: now, Alert: a, Line: line, State: outbox.Pending,
			Group: run + group, GroupName: "rule=r", Interval: 5 * time.Minute, Due: now.Add(time.Duration(n) * time.Second), Rose: n%2 == 0, Note: "note",
		}
		if sent != 0 {
			e.State, e.SentAt = outbox.Sent, now.Add(-sent)
		}
		if _, err := ledger.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	first, second := add("x", "high", 0), add("x", "critical", 0)
	add("x", "critical", 6*time.Minute) // before the interval
	add("x", "warn", 3*time.Minute)
	add("x", "high", 4*time.Minute)
	add("x", "info", 3*time.Minute)
	add("y", "critical", time.Minute)
	add("z", "critical", 0) // not asked about
	found, err := ledger.Groups(t.Context(), map[string]time.Duration{run + "x": 5 * time.Minute, run + "y": 30 * time.Second, run + "none": time.Hour}, now)
	if err != nil || len(found) != 3 {
		t.Fatalf("%v, %v", found, err)
	}
	x := found[run+"x"]
	var ids []string
	for _, e := range x.Waiting {
		ids = append(ids, e.ID())
		if e.GroupName != "rule=r" || e.Interval != 5*time.Minute || e.Due.IsZero() || e.Note != "note" {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(ids, []string{second.ID(), first.ID()}) { // the second was decided earlier
		t.Errorf("%v wait", ids)
	}
	if !x.ToldAt.Equal(now.Add(-3*time.Minute)) || x.Told != 2 || x.Rank != outbox.Rank("high") {
		t.Errorf("told %+v", x)
	}
	if due := x.Due(5 * time.Minute); !due.Equal(now.Add(2 * time.Minute)) {
		t.Errorf("due %v", due.Sub(now))
	}
	for _, id := range []string{"y", "none"} {
		if g := found[run+id]; len(g.Waiting) != 0 || !g.ToldAt.IsZero() || g.Rank != -1 || !g.Due(time.Hour).IsZero() {
			t.Errorf("%s: %+v", id, g)
		}
	}
}
