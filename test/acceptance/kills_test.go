package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/rules"
	"imwatch/sim"

	"github.com/google/go-cmp/cmp"
)

// killing is a fleet that never comes to rest: clients come and go all the time, and there is always some trouble
// that an alert is due for. The run ends it when all kills are done.
func killing() sim.Scenario {
	s := sim.Scenario{
		Name: "kills", Title: "clients come and go, with trouble every few seconds",
		Duration: 20 * time.Minute, Users: 60, Ramp: 2 * time.Second, Life: 20 * time.Second, Chat: 1, Nodes: 2, Heartbeat: 2 * time.Second,
	}
	reasons := []event.HandshakeReason{
		event.HandshakeTokenSignature, event.HandshakeTokenExpired, event.HandshakeTokenMalformed, event.HandshakeTokenAudience, event.HandshakeTokenNotYetValid,
	}
	at := 2 * time.Second
	for i := range 130 { // each hammer has an address of its own, so each is an alert of its own
		s.Troubles = append(s.Troubles, sim.Trouble{Kind: sim.Hammer, At: at, For: time.Second, Rate: 20, Node: i % 2})
		if i%4 == 0 {
			s.Troubles = append(s.Troubles, sim.Trouble{
				Kind: sim.BadTokens, At: at, For: 20 * time.Second, Count: 25, Addresses: 5, Node: i / 4 % 2, Reason: reasons[i/4%len(reasons)],
			})
		}
		at += 6 * time.Second
	}
	return s
}

// patientRules gives the shipped rules whose alerts do not hang on when the test is run or how fast the machine is.
// error-burst waits longer for late lines: the ends of connections that a killed node owes are written at its next
// start, with the time of its death, which on a busy machine is further back than the shipped rule waits for.
func patientRules(t *testing.T) string {
	t.Helper()
	const file, before = "error-burst.yaml", "\nresolve:"
	dir := someRules(t, func(id string) bool {
		return slices.Contains([]string{
			"connect-flood-by-ip", "error-burst", "fatal-event", "handshake-failures-by-reason", "heartbeat-timeouts-by-node",
			"node-consecutive-errors", "credential-stuffing", "impossible-travel", "origin-denied",
		}, id)
	})
	text, err := os.ReadFile(filepath.Join(dir, file)) //nolint:gosec // a file of the test
	if err != nil || strings.Count(string(text), before) != 1 {
		t.Fatalf("%s is not as expected: %v", file, err)
	}
	writeFile(t, filepath.Join(dir, file), strings.Replace(string(text), before, "\ntime: {lateness: 20s}"+before, 1))
	return dir
}

// someRules gives a folder with those of the shipped rules, and all of their calendars.
func someRules(t *testing.T, wanted func(id string) bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rules")
	if err := os.CopyFS(dir, rules.Files()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if wanted(strings.TrimSuffix(filepath.Base(f), ".yaml")) {
			continue
		}
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestKills ends every part by SIGKILL while events flow. Afterwards all is as if nobody had.
func TestKills(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			folder := patientRules(t)
			s := m.open(t, folder)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			played := make(chan error, 1)
			go func() {
				_, err := s.play(ctx, killing())
				played <- err
			}()
			s.flows(t, time.Now())
			for _, victim := range m.victims {
				s.crash(t, victim)
			}
			cancel()
			if err := <-played; err != nil {
				t.Error(err)
			}
			s.stop(t, node2)
			s.fatal(t)
			waitFor(t, "the last alert is told", 2*time.Minute, func(context.Context) error { return s.toldOfLast(t) })
			s.logLate(t)
			want := s.reference(t, folder)
			waitFor(t, fmt.Sprintf("everybody is told of the reference's %d alerts", len(want)), 2*time.Minute, func(context.Context) error {
				return missing(s.told.notices(t), len(want))
			})
			docs, letters := s.store.settled(t, s)

			told := s.told.notices(t)
			if diff := cmp.Diff(names(want, ruleKeyAndStart), names(hooked(told), ruleKeyAndStart)); diff != "" {
				t.Errorf("alerts other than those of the log files, read without any kill (-want +got):\n%s", diff)
			}
			toldOnce(t, told, want)
			logLatency(t, told)
			j := readJournal(t, s.logs)
			t.Logf("%d lines in %d files, %d torn", len(j.lines), j.files, j.torn)
			if letters != j.torn || len(j.doubled) > 0 {
				t.Errorf("%d dead letters for %d torn lines, %d ids stand twice: %s", letters, j.torn, len(j.doubled), some(j.doubled))
			}
			oneEnd(t, docs)
		})
	}
}

// crash kills one part at some moment, starts it again at once, and returns when the whole way works again.
func (s *site) crash(t *testing.T, victim string) {
	t.Helper()
	moment := time.NewTimer(rand.N(7 * time.Second)) //nolint:gosec // any moment between two alerts will do
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-t.Context().Done():
	}
	t.Logf("SIGKILL of %s", victim)
	s.kill(t, victim)
	s.start(t, victim)
	s.flows(t, time.Now())
}

// flows returns when something that happened after a moment is a document, and an alert of it has been told.
func (s *site) flows(t *testing.T, since time.Time) {
	t.Helper()
	waitFor(t, "events flow to store and receivers", 3*time.Minute, func(ctx context.Context) error {
		if err := s.store.since(ctx, since); err != nil {
			return err
		}
		seen := map[string]bool{}
		all := s.told.notices(t)
		alerts := hooked(all)
		for _, n := range all {
			if a := alerts[n.alert]; a != nil && a.From.After(since) {
				seen[n.receiver] = true
			}
		}
		if len(seen) < len(everybody) {
			return fmt.Errorf("only %v were told of an alert that began since then", seen)
		}
		return nil
	})
}

func (s *site) toldOfLast(t *testing.T) error {
	t.Helper()
	all := s.told.notices(t)
	for _, a := range hooked(all) {
		if a.RuleID == "fatal-event" {
			return nil
		}
	}
	return fmt.Errorf("none of %d messages is about the fatal line", len(all))
}

// reference gives the alerts, by id, that the lines of the log files make when they are read in order, after the fact.
func (s *site) reference(t *testing.T, folder string) map[string]*event.Alert {
	t.Helper()
	var lines bytes.Buffer
	for _, r := range readJournal(t, s.logs).lines {
		lines.Write(r.text)
		lines.WriteByte('\n')
	}
	events, out := filepath.Join(s.dir, "reference.jsonl"), filepath.Join(s.dir, "reference.alerts.jsonl")
	writeFile(t, events, lines.String())
	args := []string{"rules", "backtest", "--rules", folder, "--events", events, "--out", out}
	if text, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, text)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	alerts := map[string]*event.Alert{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		a := new(event.Alert)
		if err := a.UnmarshalJSON(sc.Bytes()); err != nil {
			t.Fatal(err)
		}
		if a.State == event.StateFiring {
			alerts[a.ID] = a
		}
	}
	if err := sc.Err(); err != nil || len(alerts) == 0 {
		t.Fatalf("%d alerts in the reference: %v", len(alerts), err)
	}
	return alerts
}
