package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// TestCourseCountsTheAlertsEvents: only events of the rule and the key, with their weights, in the steps before the
// state.
func TestCourseCountsTheAlertsEvents(t *testing.T) {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	st, err := sqlite.Open(sqlite.Config{Dir: t.TempDir(), MaxOpenFiles: 4}, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	at := time.Date(2026, 11, 21, 6, 30, 0, 0, time.UTC)
	put := func(id, action, ip string, weight float64, when time.Time) {
		t.Helper()
		body := fmt.Sprintf(`{"@timestamp":%q,"event":{"id":%q,"action":%q},"url":{"path":"/ws/connect"},"client":{"ip":%q},"im":{"sample":{"weight":%g}}}`,
			event.FormatTime(when), id, action, ip, weight)
		r, err := st.Put(context.Background(), store.Doc{Index: "im-connection-warn-2026.11.21", ID: id, Body: []byte(body)})
		if err != nil || r[0].Outcome != store.Stored {
			t.Fatalf("%v %v", r, err)
		}
	}
	for i := range 5 {
		put(fmt.Sprint("a", i), "connect", "192.0.2.1", 2, at.Add(time.Duration(i-5)*time.Second))
	}
	put("other key", "connect", "192.0.2.2", 1, at)
	put("other action", "disconnect", "192.0.2.1", 1, at)
	put("later", "connect", "192.0.2.1", 1, at.Add(time.Second))
	put("at the instant", "connect", "192.0.2.1", 1, at)
	if err := st.Refresh(t.Context(), "im-*"); err != nil {
		t.Fatal(err)
	}
	a := &event.Alert{RuleID: "connect-flood-by-ip", Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}}, From: at, Time: at, Window: "10s"}
	got, err := newSeries(st, nil).Course(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, steps)
	for i := range 5 {
		want[steps-6+i] = 2
	}
	want[steps-1] = 1
	if diff := cmp.Diff(want, got.Counts); diff != "" || got.Step != time.Second || !got.From.Equal(at.Add(-(steps-1)*time.Second)) {
		t.Errorf("from %v in steps of %v: -want +got\n%s", got.From, got.Step, diff)
	}
	for _, unknown := range []event.Alert{{RuleID: "no-such-rule", From: at, Time: at}, {RuleID: "connect-flood-by-ip", From: at.AddDate(0, 0, -9), Time: at.AddDate(0, 0, -9)}} {
		if _, err := newSeries(st, nil).Course(t.Context(), &unknown); !errors.Is(err, errNoCourse) {
			t.Errorf("%v", err)
		}
	}
}
