package detector_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"imwatch/detector"
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
where: 'event.action: handshake_failure'
group_by: [client.ip]
detect: {threshold: {count: "> 2", window: 10s}}
resolve: {after: 5s}
annotations: {summary: '{{.Value}} failures'}
`

// site is a bus with its topics, a folder for rules and checkpoints, and a clock that only synctest moves.
type site struct {
	t    *testing.T
	bus  *membus.Bus
	dir  string
	logs *test.Hook
	log  *logrus.Logger
	reg  *prometheus.Registry
	ids  int
	deps detector.Deps

	detector *detector.Detector // the one started last
}

func newSite(t *testing.T, partitions int, rules string) *site {
	t.Helper()
	s := &site{t: t, bus: membus.New(), dir: t.TempDir()}
	s.log, s.logs = test.NewNullLogger()
	for _, topic := range []string{bus.TopicLifecycle, bus.TopicAlerts, bus.TopicCanary} {
		if err := s.bus.EnsureTopics(t.Context(), bus.TopicSpec{Name: topic, Partitions: partitions}); err != nil {
			t.Fatal(err)
		}
	}
	s.write("rules.yaml", rules)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("rules"), 0o750); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.path("rules"), name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start runs a detector until the function it gives is called.
func (s *site) start() (stop func()) {
	s.t.Helper()
	cfg := detector.DefaultConfig()
	cfg.Rules, cfg.Checkpoint = []string{s.path("rules")}, s.path("checkpoint")
	deps := s.deps
	s.reg = prometheus.NewRegistry()
	deps.Log, deps.Registerer = s.log, s.reg
	if deps.Bus == nil {
		deps.Bus = s.bus
	}
	d, err := detector.New(cfg, deps)
	if err != nil {
		s.t.Fatal(err)
	}
	s.detector = d
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return func() {
		s.t.Helper()
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run ended with %v", err)
		}
	}
}

// failed makes a failed handshake that happens now.
func (s *site) failed(node, ip string) *event.Event {
	s.ids++
	e := &event.Event{}
	e.Begin(event.ActionHandshakeFailure, time.Now())
	e.SetText(event.FieldEventID, fmt.Sprintf("e%06d", s.ids))
	e.SetText(event.FieldServiceNode, node)
	e.SetText(event.FieldClientIP, ip)
	return e
}

func (s *site) produce(events ...*event.Event) {
	s.t.Helper()
	for _, e := range events {
		m := bus.Message{Key: []byte(e.Key()), Value: e.AppendJSON(nil)}
		if err := s.bus.Produce(s.t.Context(), bus.TopicLifecycle, m); err != nil {
			s.t.Fatal(err)
		}
	}
}

// shipped writes the watermark of a node into every partition.
func (s *site) shipped(node string, until time.Time) {
	s.t.Helper()
	e := &event.Event{}
	e.Begin(event.ActionWatermark, time.Now())
	e.SetText(event.FieldServiceNode, node)
	e.SetTime(event.FieldPipelineShippedUntil, until)
	if err := s.bus.Broadcast(s.t.Context(), bus.TopicLifecycle, bus.Message{Value: e.AppendJSON(nil)}); err != nil {
		s.t.Fatal(err)
	}
}

// pass lets time pass, with a watermark of each node every second.
func (s *site) pass(d time.Duration, nodes ...string) {
	s.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		sleep(min(time.Second, time.Until(end)))
		for _, n := range nodes {
			s.shipped(n, time.Now())
		}
	}
	synctest.Wait()
}

// sleep moves the bubble's clock.
func sleep(d time.Duration) { <-time.After(d) }

// alerts gives the state changes produced so far, each line once, in order of time.
func (s *site) alerts() []string {
	s.t.Helper()
	var lines []string
	seen := map[string]bool{}
	for _, a := range s.produced() {
		line := fmt.Sprintf("%s %s %s %v", a.RuleID, a.State, a.KeyString(), a.Value)
		if id := a.DocID(); !seen[id] {
			seen[id] = true
			lines = append(lines, line)
		}
	}
	return lines
}

func (s *site) produced() []*event.Alert {
	s.t.Helper()
	ends, err := s.bus.Ends(s.t.Context(), bus.TopicAlerts)
	if err != nil {
		s.t.Fatal(err)
	}
	total := int64(0)
	for _, n := range ends {
		total += n
	}
	c, err := s.bus.Read(s.t.Context(), bus.TopicAlerts, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	var all []*event.Alert
	for int64(len(all)) < total {
		ms, err := c.Fetch(s.t.Context(), 1000)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range ms {
			a := &event.Alert{}
			if err := a.UnmarshalJSON(m.Value); err != nil {
				s.t.Fatal(err)
			}
			if string(m.Key) != a.ID {
				s.t.Errorf("the key of alert %s is %s", a.ID, m.Key)
			}
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b *event.Alert) int { return a.Time.Compare(b.Time) })
	return all
}

// metric gives the value of a counter or gauge, summed over its labels.
func (s *site) metric(name string) float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func load(t *testing.T, s *site) []*rule.Rule {
	t.Helper()
	rules, findings := rule.Load(s.path("rules"))
	if rule.HasErrors(findings) {
		t.Fatal(findings)
	}
	return rules
}

// sorted compares without order.
func sorted() cmp.Option {
	return cmpopts.SortSlices(func(a, b string) bool { return a < b })
}
