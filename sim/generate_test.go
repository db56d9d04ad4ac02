package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"imwatch/event"
	"imwatch/sim"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// made is what one Generate call gave, decoded.
type made struct {
	raw    []byte
	labels []byte
	events []*event.Event
	sum    sim.Summary
}

func generate(tb testing.TB, s sim.Scenario, seed uint64, o sim.GenerateOptions) made {
	tb.Helper()
	var out, labels bytes.Buffer
	sum, err := sim.Generate(tb.Context(), s, seed, &out, &labels, o)
	if err != nil {
		tb.Fatal(err)
	}
	m := made{raw: out.Bytes(), labels: labels.Bytes(), sum: sum}
	for i, line := range bytes.Split(bytes.TrimSuffix(m.raw, []byte("\n")), []byte("\n")) {
		e := new(event.Event)
		if err := event.Decode(line, e); err != nil {
			tb.Fatalf("line %d: %v\n%s", i+1, err, line)
		}
		m.events = append(m.events, e)
	}
	if int64(len(m.events)) != sum.Lines {
		tb.Errorf("%d lines written, the summary says %d", len(m.events), sum.Lines)
	}
	return m
}

func scenario(tb testing.TB, name string) sim.Scenario {
	tb.Helper()
	s, err := sim.ByName(name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// checkFile holds what must be true of any generated file.
func checkFile(t fataler, m made) {
	t.Helper()
	ids, open := map[string]bool{}, map[string]bool{}
	lastID, last := map[string]string{}, int64(0)
	connects := 0
	for i, e := range m.events {
		if ids[e.ID()] {
			t.Fatalf("line %d: id %s comes twice", i+1, e.ID())
		}
		ids[e.ID()] = true
		if e.UnixNano() < last {
			t.Fatalf("line %d: goes back in time", i+1)
		}
		last = e.UnixNano()
		c := e.Text(event.FieldConnID)
		switch e.Action() {
		case event.ActionConnect.Code:
			connects++
			if open[c] {
				t.Fatalf("line %d: %s connects twice", i+1, c)
			}
			open[c] = true
		case event.ActionDisconnect.Code, event.ActionOrphaned.Code:
			if !open[c] {
				t.Fatalf("line %d: %s ends without being open", i+1, c)
			}
			delete(open, c)
		}
		if e.Action() == event.ActionOrphaned.Code {
			continue
		}
		boot := e.ID()[:strings.LastIndexByte(e.ID(), '-')]
		if !strings.HasPrefix(boot, e.Node()+"-") || e.ID() <= lastID[boot] {
			t.Fatalf("line %d: id %s of node %s comes after %s", i+1, e.ID(), e.Node(), lastID[boot])
		}
		lastID[boot] = e.ID()
	}
	if len(open) > 0 || connects == 0 {
		t.Fatalf("%d of %d connections have no end", len(open), connects)
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func TestGenerateEachScenario(t *testing.T) {
	t.Parallel()
	for _, s := range sim.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			m := generate(t, s, 7, sim.GenerateOptions{Users: 200})
			checkFile(t, m)
			labels, err := sim.ReadLabels(bytes.NewReader(m.labels))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m.sum.Labels, labels, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("labels read back differ (-summary +file):\n%s", diff)
			}
			if want := 1 + len(s.Troubles); len(labels) < want {
				t.Errorf("%d labels, at least %d expected: %v", len(labels), want, labels)
			}
		})
	}
}

// Each trouble must leave in the log what its label says, and the same log must be quiet elsewhere.
func TestTroublesAreInTheEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scenario string
		want     int
		match    func(*event.Event) bool
	}{
		{"bad-tokens", 25, func(e *event.Event) bool {
			return e.Text(event.FieldEventReason) == "token_signature" && e.Int(event.FieldHTTPStatus) == 401 && e.Text(event.FieldURLPath) == "/ws/connect"
		}},
		{"silent-clients", 12, func(e *event.Event) bool {
			return e.Action() == "heartbeat_timeout" && strings.HasPrefix(e.Text(event.FieldUserID), "silent-")
		}},
		{"silent-clients", 12, func(e *event.Event) bool {
			return e.Text(event.FieldCloseReason) == "heartbeat_timeout" && strings.HasPrefix(e.Text(event.FieldUserID), "silent-")
		}},
		{"hammer", 300, func(e *event.Event) bool {
			return e.Action() == "connect" && e.Text(event.FieldClientIP) == "203.0.113.1"
		}},
		{"office", 200, func(e *event.Event) bool {
			return e.Action() == "connect" && e.Text(event.FieldClientIP) == "203.0.113.1"
		}},
		{"errors", 30, func(e *event.Event) bool {
			return e.Text(event.FieldLogLevel) == "error" && e.Text(event.FieldEventReason) == "dependency"
		}},
		{"panic", 1, func(e *event.Event) bool { return e.Text(event.FieldLogLevel) == "fatal" }},
		{"calm", 0, func(e *event.Event) bool { return e.Text(event.FieldLogLevel) == "fatal" }},
		{"node-stop", 4, func(e *event.Event) bool { return e.Action() == "server_drain" }},
		{"node-stop", 4, func(e *event.Event) bool { return e.Action() == "server_start" }},
		{"node-kill", 3, func(e *event.Event) bool { return e.Action() == "server_stop" }},
	} {
		m := generate(t, scenario(t, c.scenario), 3, sim.GenerateOptions{})
		got := 0
		for _, e := range m.events {
			if c.match(e) {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d events, want %d", c.scenario, got, c.want)
		}
	}
}

func TestNodeKillOrphansExactlyWhatItHeld(t *testing.T) {
	t.Parallel()
	m := generate(t, scenario(t, "node-kill"), 5, sim.GenerateOptions{})
	orphans := 0
	for _, e := range m.events {
		if e.Action() != event.ActionOrphaned.Code {
			continue
		}
		orphans++
		if e.ID() != "orphaned-"+e.Text(event.FieldConnID) || e.Text(event.FieldConnNode) != "im-1" || e.Node() == "im-1" {
			t.Errorf("orphan %s of %s, written by %s", e.ID(), e.Text(event.FieldConnNode), e.Node())
		}
	}
	if orphans < 50 {
		t.Errorf("%d orphans, about 100 expected", orphans)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	s := scenario(t, "acceptance")
	a, b, c := generate(t, s, 1, sim.GenerateOptions{}), generate(t, s, 1, sim.GenerateOptions{}), generate(t, s, 2, sim.GenerateOptions{})
	if !bytes.Equal(a.raw, b.raw) || !bytes.Equal(a.labels, b.labels) {
		t.Error("the same seed gave other bytes")
	}
	if bytes.Equal(a.raw, c.raw) {
		t.Error("another seed gave the same bytes")
	}
}

func TestCountIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := scenario(t, "calm")
		s.Users, s.Nodes = rapid.IntRange(1, 60).Draw(rt, "users"), rapid.IntRange(1, 4).Draw(rt, "nodes")
		count := rapid.Int64Range(300, 2000).Draw(rt, "count")
		var out bytes.Buffer
		sum, err := sim.Generate(context.Background(), s, rapid.Uint64().Draw(rt, "seed"), &out, nil, sim.GenerateOptions{Count: count})
		if err != nil {
			rt.Fatalf("%v", err)
		}
		if n := int64(bytes.Count(out.Bytes(), []byte("\n"))); n != count || sum.Lines != count {
			rt.Fatalf("%d lines, summary %d, want %d", n, sum.Lines, count)
		}
		m := made{raw: out.Bytes()}
		for line := range bytes.Lines(m.raw) {
			e := new(event.Event)
			if err := event.Decode(bytes.TrimSpace(line), e); err != nil {
				rt.Fatalf("%v", err)
			}
			m.events = append(m.events, e)
		}
		checkFile(rt, m)
	})
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	errWrite := errors.New("disk full")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		s    sim.Scenario
		out  io.Writer
		o    sim.GenerateOptions
		want string
	}{
		{"too short for its trouble", t.Context(), scenario(t, "hammer"), io.Discard, sim.GenerateOptions{Duration: time.Minute}, "outside the run of 1m0s"},
		{"count reached before the trouble", t.Context(), scenario(t, "hammer"), io.Discard, sim.GenerateOptions{Count: 700}, "raise count, or lower users"},
		{"count below the least", t.Context(), scenario(t, "calm"), io.Discard, sim.GenerateOptions{Count: 5}, "at least 12 lines"},
		{"negative", t.Context(), scenario(t, "calm"), io.Discard, sim.GenerateOptions{Users: -1}, "must not be negative"},
		{"write error", t.Context(), scenario(t, "calm"), failingWriter{errWrite}, sim.GenerateOptions{}, "disk full"},
		{"cancelled", cancelled, scenario(t, "calm"), io.Discard, sim.GenerateOptions{}, "context canceled"},
		{"unknown kind", t.Context(), sim.Scenario{Name: "x", Duration: time.Minute, Nodes: 1, Troubles: []sim.Trouble{{Kind: "flood"}}}, io.Discard, sim.GenerateOptions{}, "unknown kind, allowed are [bad-tokens"},
		{"wrong node", t.Context(), sim.Scenario{Name: "x", Duration: time.Minute, Nodes: 1, Troubles: []sim.Trouble{{Kind: sim.Panic, Node: 1}}}, io.Discard, sim.GenerateOptions{}, "node is 1, there are 1"},
	} {
		_, err := sim.Generate(c.ctx, c.s, 1, c.out, nil, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.name, err, c.want)
		}
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestByName(t *testing.T) {
	t.Parallel()
	_, err := sim.ByName("nope")
	if err == nil || !strings.Contains(err.Error(), "there are: calm, demo, acceptance") {
		t.Error(err)
	}
	var names []string
	for _, s := range sim.Scenarios() {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if slices.Contains(names, s.Name) || s.Title == "" {
			t.Errorf("%s is double or has no title", s.Name)
		}
		names = append(names, s.Name)
	}
}

func BenchmarkGenerate(b *testing.B) {
	s := scenario(b, "calm")
	for _, users := range []int{300, 20_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			lines := int64(0)
			for b.Loop() {
				sum, err := sim.Generate(b.Context(), s, 1, io.Discard, nil, sim.GenerateOptions{Count: 100_000, Users: users, Nodes: 4})
				if err != nil {
					b.Fatal(err)
				}
				lines += sum.Lines
			}
			b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
